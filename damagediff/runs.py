"""One run: a case compared, drawn, written and sealed, in a folder that appears whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from . import (
    case_files,
    cluster,
    drawing,
    evidence,
    figures,
    folders,
    outputs,
    pipeline,
    raster,
    report,
    reproduce,
    review_files,
    saved,
    scene,
    states,
    transformations,
    verify,
    wording,
)
from . import settings as options
from .drawing import More
from .errors import EvidenceError, OutputError
from .scene import Progress
from .settings import Settings
from .types import Case, Comparison, Source


@dataclass(frozen=True)
class Order:
    """How a run was asked for; none of it changes what is found."""

    command: tuple[str, ...]
    """As typed, for the manifest."""
    overwrite: bool = False
    operator: str | None = None
    """Who runs it, if that is to be written down."""
    dask: str | None = None
    """Where other processes do the work on windows, see `cluster.joined`; None: threads of this one do."""


def make(
    case: Case, settings: Settings, out: Path, order: Order, progress: Progress = scene.silent
) -> Comparison:
    """Compare a case and write its run folder.

    Parameters
    ----------
    out : Path
        The run folder to make; see `folders.run_folder`.

    Raises
    ------
    DamagediffError
        As `pipeline.compare`, and when the folder cannot be written or an input changed meanwhile. A refused
        alignment is no error here: the folder then holds the report that says why.
    """
    started = datetime.now(UTC)
    check(case, settings)
    evidence.created(started)  # a wrong SOURCE_DATE_EPOCH is told now, not after an hour
    folders.check_apart(out, [path for _, path in case_files.named(case)])
    sealed = evidence.seal(case)
    with cluster.joined(order.dask) as elsewhere, folders.run_folder(out, order.overwrite) as folder:
        comparison = fill(case, settings, folder, progress, elsewhere)
        evidence.check_unchanged(comparison, sealed)
        others = None if elsewhere is None else elsewhere.answers(raster.sandbox)
        evidence.write_manifest(folder, comparison, list(order.command), started, order.operator, others)
    return comparison


def check(case: Case, settings: Settings) -> None:
    """Refuse figures that could not be drawn as asked, before anything is computed.

    Raises
    ------
    SettingsError
        A page or fragment made to be published, and an image without a credit.
    InputError
        The font cannot be used.
    """
    figures.check(settings.report.figures, (case.before.credit, case.after.credit), case.font)
    report.check(settings.report.embed, (case.before.credit, case.after.credit))


def fill(
    case: Case,
    settings: Settings,
    folder: Path,
    progress: Progress = scene.silent,
    elsewhere: Executor | None = None,
) -> Comparison:
    """Write everything but the manifest into an existing folder."""
    comparison = pipeline.compare(case, settings, folder, progress, elsewhere)
    pipeline.at_rest()
    progress("writing the report", 0.0)
    _finish(comparison, folder)
    return comparison


def _finish(comparison: Comparison, folder: Path) -> None:
    """Write what is drawn and listed beside the rasters."""
    drawing.draw(comparison, folder, More(font=comparison.case.font))
    pipeline.at_rest()
    outputs.write_results(comparison, folder)
    settings_told = outputs.result_settings(comparison.settings)
    saved.write(replace(comparison, settings=settings_told), folder)


@dataclass(frozen=True)
class Computed:
    """A comparison whose run folder is not written yet."""

    comparison: Comparison
    rasters: Path
    """Folder that holds the rasters of the run and nothing else."""
    started: datetime
    sealed: evidence.Seal
    sizes: dict[str, int] | None
    """Bytes of each file there, by its name."""


def compute(case: Case, settings: Settings, rasters: Path, progress: Progress = scene.silent) -> Computed:
    """Compare a case as `make` does, but only write its rasters, into an existing empty folder.

    Raises
    ------
    DamagediffError
        As `make`.
    """
    started = datetime.now(UTC)
    check(case, settings)
    evidence.created(started)
    sealed = evidence.seal(case)
    comparison = pipeline.compare(case, settings, rasters, progress)
    return Computed(comparison, rasters, started, sealed, _sizes(rasters))


def _sizes(folder: Path) -> dict[str, int] | None:
    """Bytes of each file, by its name; None where there is no folder."""
    return {path.name: path.stat().st_size for path in folder.iterdir()} if folder.is_dir() else None


def write(computed: Computed, out: Path, order: Order) -> None:
    """Write the run folder of what was computed: the same as `make` would have.

    Raises
    ------
    DamagediffError
        The folder cannot be written, its rasters are not all there any more, or an input changed meanwhile.
    """
    comparison = computed.comparison
    if _sizes(computed.rasters) != computed.sizes:  # a system may clear its temporary folder
        raise OutputError(
            f"{out}: the rasters of this comparison were removed from the temporary folder. "
            f"Compare again with out={str(out)!r}"
        )
    folders.check_apart(out, [path for _, path in case_files.named(comparison.case)])
    with folders.run_folder(out, order.overwrite) as folder:
        for path in computed.rasters.iterdir():
            shutil.copyfile(path, folder / path.name)
        _finish(comparison, folder)
        evidence.check_unchanged(comparison, computed.sealed)
        evidence.write_manifest(folder, comparison, list(order.command), computed.started, order.operator)


def copy(folder: Path, out: Path, overwrite: bool = False) -> None:
    """Copy a finished run as it is, with its reviews and signatures.

    Raises
    ------
    EvidenceError
        The run does not agree with its manifest.
    OutputError
        `out` cannot be written.
    """
    verify.check_sound(folder, "Nothing was copied")
    folders.check_apart(out, [folder])
    with folders.run_folder(out, overwrite) as copied:
        for path in folder.iterdir():
            shutil.copyfile(path, copied / path.name, follow_symlinks=False)
        if not verify.run(copied).sound:
            raise EvidenceError(f"{folder.name}: changed while it was copied. Nothing was copied")


def draw_again(folder: Path, out: Path, more: More = More()) -> list[str]:  # noqa: B008
    """Draw the figures and the report of a finished run anew, with this version, into another folder.

    Parameters
    ----------
    more : More
        Pages and a moving picture beside those that the run itself asked for, and a font: a run keeps none.

    Returns
    -------
    list of str
        Names of what was written, in order.

    Raises
    ------
    EvidenceError
        The run does not agree with its manifest, or holds no comparison that can be read.
    SettingsError, InputError
        As `check`.
    OutputError
        `out` exists already or cannot be written.
    """
    verify.check_sound(folder, "Nothing was drawn")
    comparison = drawing.of_run(folder)
    folders.check_apart(out, [folder])
    credits_ = comparison.pair.before.credit, comparison.pair.after.credit
    figures.check(drawing.pages(comparison, more), credits_, more.font)
    report.check(drawing.embedded(comparison, more), credits_)
    with folders.run_folder(out) as drawn:
        drawing.draw(comparison, drawn, more)
        return sorted(path.name for path in drawn.iterdir())


@dataclass(frozen=True)
class Again:
    """How a run is made again."""

    workers: int = 0
    """0: one for each core."""
    allow_remote: bool = False
    """Whether what was read from an address may be fetched from there."""


def again(
    folder: Path,
    originals: Path,
    how: Again = Again(),  # noqa: B008
    progress: Progress = scene.silent,
) -> tuple[reproduce.Compared, ...]:
    """Run again, with the inputs found in `originals` by their hashes, and compare what it makes.

    What was read from an address is fetched again, and has to be what it was.

    Raises
    ------
    EvidenceError
        An input is not there, or the manifest does not say how the run was made.
    DamagediffError
        As the run itself.
    """
    manifest, _ = verify.read_manifest(folder)
    files, missing = verify.inputs(manifest, originals)
    if missing:
        raise EvidenceError(
            f"{missing[0].name}: {missing[0].what} in {originals.name or originals}. Name the folder that "
            "holds all of them with --inputs"
        )
    if "case" not in manifest:
        raise EvidenceError(
            f"{folder.name}: its manifest is of a version that did not write down the case. Compare the "
            "images again"
        )
    settings = options.from_dict(manifest["settings"] | {"workers": how.workers})
    with tempfile.TemporaryDirectory(prefix="damagediff-") as scratch, ExitStack() as stack:
        placed = _under_old_names(manifest, files, Path(scratch) / "inputs")
        placed |= stack.enter_context(_fetched_again(manifest, settings, how.allow_remote))
        case = case_files.from_values(manifest["case"], placed)
        _check_addresses(case, manifest)
        remade = Path(scratch) / "run"
        remade.mkdir()
        comparison = fill(case, settings, remade, progress)
        if "reviews" in manifest and outputs.evidence_id(comparison) == manifest["evidence_id"]:
            reviews = review_files.read_all(folder, comparison)
            drawing.draw(replace(comparison, reviews=reviews), remade, More(font=case.font))
        made = (item for item in manifest["outputs"] if not states.added(item["name"]))
        compared = [reproduce.compare(item, folder, remade) for item in made]
        compared += reproduce.added(compared, remade)
        compared += reproduce.steps(manifest, list(transformations.steps(comparison)))
        return reproduce.together(compared, reproduce.alike(manifest))


def _under_old_names(manifest: dict[str, Any], files: dict[str, Path], scratch: Path) -> dict[str, Path]:
    """The inputs by field, copied where their names are others now: results name the files they are of."""
    placed = {}
    for number, item in enumerate(manifest["inputs"]):
        if "remote" in item:
            continue
        path, name = files[item["field"]], PurePosixPath(item["name"]).name
        if path.name != name:
            folder = scratch / str(number)
            folder.mkdir(parents=True)
            path = Path(shutil.copyfile(path, folder / name))
        placed[item["field"]] = path
    return placed


@contextmanager
def _fetched_again(manifest: dict[str, Any], settings: Settings, allowed: bool) -> Iterator[dict[str, Path]]:
    """By field, what was read from an address, fetched anew; its hash must be that of the run."""
    items = _remote(manifest)
    if items and not allowed:
        raise EvidenceError(
            f"{items[0].name}: it was read from {items[0].address}, and not kept. It is fetched again with "
            "--allow-remote"
        )
    sources = [Source(Path(item.name), address=item.address) for item in items]
    with raster.opened(sources, settings.read, allowed) as found:
        for item, source in zip(items, found, strict=True):
            now = raster.fetched_again(source.path, item.ranges)
            if (now.size_bytes, now.sha256) != (item.size_bytes, item.sha256):
                raise EvidenceError(
                    f"{item.name}: what its address holds now is not what was compared, by the SHA-256 of "
                    "what was read"
                )
        yield {item.field: source.path for item, source in zip(items, found, strict=True)}


def _check_addresses(case: Case, manifest: dict[str, Any]) -> None:
    """Results name the addresses of the case: they must be those that were fetched from."""
    asked = {item.field: item.address for item in _remote(manifest)}
    for field, source in zip(evidence.IMAGES, (case.before, case.after), strict=True):
        if source.address != asked.get(field):
            raise EvidenceError(
                f"the manifest's case names another address of {case_files.role(field)} than its inputs do. "
                "Make the run anew"
            )


@dataclass(frozen=True)
class _Remote:
    """What a manifest says of an input that was read from an address."""

    field: str
    name: str
    address: str
    ranges: tuple[tuple[int, int], ...]
    size_bytes: int
    sha256: str


def _remote(manifest: dict[str, Any]) -> list[_Remote]:
    try:
        found = []
        for item in manifest["inputs"]:
            if "remote" in item and item["field"] in evidence.IMAGES:
                said = item["remote"]
                ranges = tuple((int(start), int(stop)) for start, stop in said["ranges"])
                told = str(said["address"]), ranges, int(said["size_bytes"]), str(said["sha256"])
                found.append(_Remote(item["field"], wording.plain(str(item["name"])), *told))
        return found
    except (KeyError, TypeError, ValueError, OverflowError):
        raise EvidenceError("the manifest does not say what was read from an address") from None
