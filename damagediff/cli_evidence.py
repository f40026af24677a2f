"""Commands on finished runs: verify, bundle, report."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click

from .cli_options import PATH, operator_option
from .errors import EvidenceError, OutputError

Tell = Callable[[str], None]
Bar = Callable[[bool], AbstractContextManager[Callable[[str, float], None]]]


def verify(run: Path, given: dict[str, Any], tell: Tell, bar: Bar) -> None:
    """Check a run folder, print what was found, and raise `EvidenceError` when anything is wrong."""
    from . import custody, reproduce, runs
    from . import verify as checks

    found = checks.run(run, given["trusted"])
    findings = list(found.findings)
    compared: tuple[reproduce.Compared, ...] = ()
    if given["inputs"] is not None:
        findings += checks.inputs(found.manifest, given["inputs"])[1]
    if given["rerun"]:
        with bar(given["quiet"]) as progress:
            originals = given["inputs"] or Path()
            compared = runs.again(run, originals, given["workers"] or 0, progress)
    others = reproduce.other_versions(found.manifest)
    notes = [*found.notes, *others]
    if others and not given["rerun"]:
        notes.append("made with other versions: --inputs DIR --rerun says which results would now change")
    different = [item for item in compared if item.outcome == "different"]
    sound = not findings and not different
    unseen = [item.name for item in compared if item.words == reproduce.OTHER_BYTES]
    if unseen:
        notes.append(
            f"not compared, for other versions or machines draw other bytes: {', '.join(unseen)}. "
            "What was drawn is as the results say only when drawn again: damagediff report RUN -o DIR"
        )
    if given["record"]:
        details = {"sound": sound, "rerun": bool(given["rerun"])}
        try:
            custody.append(run, "verified", details, given["operator"])
        except (EvidenceError, OutputError) as error:
            notes.append(f"not written into the custody log: {error}")
    if given["as_json"]:
        click.echo(json.dumps(_told(found.manifest, findings, compared, notes, sound), indent=2), nl=True)
    _print(findings, compared, notes, tell)
    if findings:
        first = findings[0]
        count = len(findings) + len(different)
        raise EvidenceError(
            f"{run}: {count} of its files or records do not agree; first {first.name}: {first.what}. Ask "
            "for the run again where it came from"
        )
    if different:
        first_ = min(
            different, key=lambda item: item.name.endswith(reproduce.DRAWN)
        )  # what was measured first
        why = " by other versions" if others else ""
        raise EvidenceError(
            f"{run}: agrees with its manifest, but computed again{why}, {len(different)} of {len(compared)} "
            f"files would change; first {first_.name}: {first_.words}. damagediff verify --json lists them"
        )
    tell(f"{run}: agrees with its manifest, evidence id {found.manifest['evidence_id']}")


def _told(manifest: dict[str, Any], findings: Any, compared: Any, notes: Any, sound: bool) -> dict[str, Any]:
    return {
        "sound": sound,
        "evidence_id": manifest["evidence_id"],
        "files": len(manifest["outputs"]),
        "findings": [{"name": item.name, "what": item.what} for item in findings],
        "rerun": [{"name": c.name, "outcome": c.outcome, "words": c.words} for c in compared],
        "notes": list(notes),
    }


def _print(findings: Any, compared: Any, notes: Any, tell: Tell) -> None:
    for item in findings:
        tell(f"{item.name}: {item.what}")
    for item in compared:
        tell(f"{item.name}: {item.outcome} ({item.words})")
    for note in notes:
        tell(f"note: {note}")


def bundle(run: Path, out: Path, how: tuple[bool, bool], operator: str | None, tell: Tell) -> None:
    """Pack a run, `how`: with pictures, over an older file; and write that into its log."""
    from . import bundle as bundles
    from . import digests

    left_out = bundles.write(run, out, *how)
    tell(f"bundle: {out}" + (f" without {', '.join(left_out)}" if left_out else ""))
    _record(run, "exported", {"bundle": digests.entry(out) | {"left_out": left_out}}, operator, tell)


def draw(run: Path, out: Path, given: dict[str, Any], tell: Tell) -> None:
    """Draw figures and report of a run again, and write that with their hashes into its log."""
    from . import digests, drawing, runs

    more = drawing.More(given["figures"], given["animate"], given["font"], given["embed"])
    names = runs.draw_again(run, out, more)
    tell(f"{out}: {', '.join(names)}")
    files = [digests.entry(out / name) for name in names]
    _record(run, "rendered", {"files": files}, given["operator"], tell)


def _record(run: Path, act: str, details: dict[str, Any], operator: str | None, tell: Tell) -> None:
    """A record of an act that is done: what cannot be written is told, and undoes nothing."""
    from . import custody

    try:
        custody.append(run, act, details, operator)
    except (EvidenceError, OutputError) as error:
        tell(f"note: not written into the custody log: {error}")


def verify_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of ``verify``."""
    for option in (
        click.option("-q", "--quiet", is_flag=True, help="No progress."),
        click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON on stdout."),
        operator_option,
        click.option(
            "--trust",
            "trusted",
            multiple=True,
            type=PATH,
            metavar="FILE",
            help="Who counts: allowed signers of SSH, a minisign key, an authority's certificate.",
        ),
        click.option(
            "--no-record", "record", flag_value=False, default=True, help="Leave the custody log alone."
        ),
        click.option("--workers", type=click.IntRange(0), help="Threads of --rerun; 0: one for each core."),
        click.option("--rerun", is_flag=True, help="Compute the run again and compare every file."),
        click.option(
            "--inputs", type=PATH, metavar="DIR", help="Where the originals are: check them by their hashes."
        ),
    ):
        command = option(command)
    return command
