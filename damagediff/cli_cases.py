"""Cases from files: a case file, a CSV of pairs, and the batch of many."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from . import batches, case_file, cli_values, cluster
from .errors import DamagediffError, InputError, SettingsError
from .settings import Settings
from .source_record import SIDES
from .types import Case

HOW = (
    "out",
    "gis_out",
    "overwrite",
    "quiet",
    "verbose",
    "dry_run",
    "as_json",
    "operator",
    "dask",
    "workers",
    "max_memory",
    "seed",
    "settings_file",
    "overrides",
    "figures",
    "animate",
    "embed",
)
"""Options that may be given beside a case file: they say how it is run, not what is compared."""


def load(path: Path, given: dict[str, Any]) -> tuple[Case, Settings, dict[str, Any]]:
    """A case file with the options given beside it.

    Returns
    -------
    (the case, its settings, `given` with what the file says: ``out`` among it)

    Raises
    ------
    SettingsError
        The file is wrong, or an option is given that the file should say.
    InputError
        The file cannot be read.
    """
    for name, value in given.items():
        if name not in HOW and value not in (None, False, "", ()):
            option = name.replace("_", "-")
            raise SettingsError(f"--{option}: write it into {path.name}, so that the case is whole")
    table = case_file.read(path)
    with in_keys(path.name):
        return from_table(table, path.parent, given)


def from_table(
    table: case_file.CaseTable, folder: Path, given: dict[str, Any]
) -> tuple[Case, Settings, dict[str, Any]]:
    """The same from what the file says, its paths in `folder`."""
    case_file.check_links(table, folder)
    told = given | case_file.given(table, folder) | {"settings_values": table.settings}
    if told.get("out") is None and table.output is not None:
        told["out"] = folder / table.output
    files = [folder / image.file for image in (table.before, table.after) if image is not None]
    case = cli_values.case(files[0], files[-1], told)
    return case, cli_values.settings(told), told | {"one_picture": table.after is None}


@contextmanager
def in_keys(file: str) -> Iterator[None]:
    """Errors inside name the keys of a case file, or the columns of a table, instead of options."""
    try:
        yield
    except (SettingsError, InputError) as error:
        raise type(error)(said_in_keys(str(error), file)) from None


def said_in_keys(message: str, file: str) -> str:
    """``--before-date x: no date`` as ``case.toml: before.date x: no date``; of a table ``before_date``.

    Options that no key stands for are left as they are.
    """

    def key(match: re.Match[str]) -> str:
        name = match[1].replace("-", "_")
        side, _, rest = name.partition("_")
        if side in SIDES and rest in _keys(case_file.ImageTable):
            return f"{side}.{rest}" if file.lower().endswith(case_file.SUFFIX) else name
        own = {"baseline_date": "baseline.date", "out": "output"}.get(name, name)
        return own if own.partition(".")[0] in _keys(case_file.CaseTable) else match[0]

    told = re.sub(r"(?<![\w-])--([a-z][a-z0-9-]*)", key, message)
    return told if told.startswith(f"{file}: ") or told == message else f"{file}: {told}"


def _keys(table: type) -> set[str]:
    return {each.name for each in dataclasses.fields(table)}


def run(paths: tuple[Path, ...], out: Path, given: dict[str, Any], tell: Callable[[str], None]) -> None:
    """Run a batch, print its summary, and raise when a case could not be compared."""
    cores = os.cpu_count() or 1
    at_once = given["workers"] or cores
    quiet = (lambda words: None) if given["quiet"] else tell
    # Each of the pool's threads waits for a process.
    with cluster.shared(given["dask"]) as address, ThreadPoolExecutor(at_once) as pool:
        items = plan(paths, given | {"dask": address}, max(1, cores // at_once))
        lines = batches.run(items, out, pool, quiet)
    if given["as_json"]:
        click.echo((out / "summary.json").read_text(encoding="utf-8"), nl=False)
    failed = [line for line in lines if line["outcome"] == "failed"]
    tell(f"{out / 'index.html'}: {len(lines)} cases, {len(failed)} failed")
    if failed:
        first = failed[0]
        raise DamagediffError(
            f"{len(failed)} of {len(lines)} cases failed; first {first['name']}: {first['message']}"
        )


def plan(paths: tuple[Path, ...], given: dict[str, Any], threads: int) -> list[batches.Item]:
    """The cases of a batch. One that cannot be read is an item too, with its error: the others go on.

    Raises
    ------
    InputError
        A path is neither a case file nor a table of pairs, or the table cannot be read.
    """
    found = list(named(paths))
    names = batches.names([name for name, _, _ in found])
    settings = [] if given["settings_file"] is None else [f"--settings={given['settings_file']}"]
    seed = [] if given["seed"] is None else [f"--seed={given['seed']}"]
    dask = [] if given.get("dask") is None else [f"--dask={given['dask']}"]
    how = (f"--workers={threads}", *dask, *settings, *seed, *(f"--set={text}" for text in given["overrides"]))
    return [_item(name, path, row, given, how) for name, (_, path, row) in zip(names, found, strict=True)]


def named(paths: tuple[Path, ...]) -> Iterator[tuple[str, Path, dict[str, str] | None]]:
    """(wished name, file, line of a CSV) of each case that `paths` name."""
    for path in paths:
        if path.suffix.lower() == case_file.SUFFIX:
            yield (path.absolute().parent.name if path.stem == "case" else path.stem), path, None
        elif path.suffix.lower() == ".csv":
            yield from ((name, path, row) for name, row in batches.rows(path))
        else:
            raise InputError(
                f"{path.name}: not a case file (.toml) and not a table of pairs (.csv). damagediff init "
                "writes a case file"
            )


def _item(
    name: str, path: Path, row: dict[str, str] | None, given: dict[str, Any], how: tuple[str, ...]
) -> batches.Item:
    try:
        table = case_file.read(path) if row is None else case_file.checked(path.name, batches.as_table(row))
        with in_keys(path.name):
            case, settings, _ = from_table(table, path.parent, given)
    except DamagediffError as error:
        return batches.Item(name, (), None, (error.exit_code, str(error)))
    arguments = (str(path),) if row is None else batches.arguments(row, path.parent)
    return batches.Item(name, (*arguments, *how), (case, settings))
