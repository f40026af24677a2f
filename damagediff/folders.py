"""A run folder appears whole or not at all, and takes the place of nothing that it should not."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import exchange
from .errors import OutputError

MANIFEST = "manifest.json"
BESIDE = ("SHA256SUMS", "custody.jsonl", "ro-crate-metadata.json")
"""Written with the manifest, and not listed in it."""
LOOKS = 20
"""How often another run may take the place of what is looked at before that is believed."""


@contextmanager
def run_folder(out: Path, overwrite: bool = False) -> Iterator[Path]:
    """A folder to fill, which becomes `out` in one step when the block ends, and vanishes when it fails.

    What a killed run of the same name left behind is removed first.

    Parameters
    ----------
    out : Path
        The run folder to make. Its parents are made as needed.
    overwrite : bool
        Replace an existing `out`, if it is empty or a run folder with no foreign file in it.

    Yields
    ------
    Path
        A hidden folder beside `out`, on the same file system.

    Raises
    ------
    OutputError
        `out` is a link, exists and may not be replaced, or the disk refuses.
    """
    out = _absolute(out)
    partial = _partial(out)
    with _output_errors(out):
        _check_replaceable(out, overwrite)
        out.parent.mkdir(parents=True, exist_ok=True)
        _sweep(out)
        partial.mkdir()
    with _removed_if_unfinished(partial, out):
        with _named(out):
            yield partial
        _publish(partial, out, overwrite)


def check_free(out: Path, overwrite: bool) -> Path:
    """Refuse what `run_folder` would refuse at its beginning, without making anything.

    Returns
    -------
    The nearest folder that exists, in which `out` would be made.

    Raises
    ------
    OutputError
        As `run_folder`; or that folder cannot be written.
    """
    out = _absolute(out)
    with _output_errors(out):
        _check_replaceable(out, overwrite)
        there = next(folder for folder in out.parents if folder.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise OutputError(f"{out}: cannot write in {there}. Choose another folder with -o")
    return there


@contextmanager
def next_state(out: Path, unchanged: Callable[[Path], bool]) -> Iterator[Path]:
    """A folder to fill, which takes the place of the run `out` in one step when the block ends.

    For a run that gets a further act, and is known to be sound; else as `run_folder`.

    Parameters
    ----------
    out : Path
        An existing run folder.
    unchanged : callable
        Whether the folder it is given, the old state, is still what the new one was made from. Asked when
        the new state has taken its place: if not, the old one is put back.

    Raises
    ------
    OutputError
        The disk refuses, or the run changed meanwhile.
    """
    out = _absolute(out)
    partial = _partial(out)
    with _output_errors(out):
        if out.is_symlink():
            raise OutputError(f"{out}: is a symbolic link. Name the folder itself")
        _sweep(out)
        partial.mkdir()
    with _removed_if_unfinished(partial, out):
        with _named(out):
            yield partial
        _put_in_place(partial, out, unchanged)


@contextmanager
def _removed_if_unfinished(partial: Path, out: Path) -> Iterator[None]:
    """Whatever happens, nothing is left at `partial`; what the disk refuses is told of `out`."""
    try:
        yield
    except OSError as error:
        if _elsewhere(error, partial, out):
            raise
        raise OutputError(_refused(out, error)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def scratch() -> Path:
    """A new temporary folder of this process; what killed ones left on this machine is removed first."""
    parent, ours = tempfile.gettempdir(), f"damagediff-{_machine()}-"
    with suppress(OSError):
        for path in Path(parent).iterdir():
            match = re.fullmatch(rf"{ours}(\d+)-\w+", path.name)
            if match and not _alive(int(match[1])):
                shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{ours}{os.getpid()}-", dir=parent))


def check_new_file(out: Path, overwrite: bool, endings: tuple[str, ...] = (".tif", ".tiff")) -> None:
    """Refuse to write over a file without leave, over anything but a file, or into a missing folder.

    Raises
    ------
    OutputError
        With what is in the way.
    """
    out = _absolute(out)
    with _output_errors(out):
        if out.suffix.lower() not in endings:
            kind = "ZIP file" if endings == (".zip",) else "GeoTIFF"
            raise OutputError(f"{out}: a {kind} is written. Give it a name that ends in {endings[0]}")
        if out.is_symlink() or (out.exists() and not out.is_file()):
            raise OutputError(f"{out}: is not a file. Name a new one")
        if out.exists() and not overwrite:
            raise OutputError(f"{out}: exists already. Name a new file, or give --overwrite")
        if not out.parent.is_dir():
            raise OutputError(f"{out}: its folder does not exist. Make it, or name another")


def check_apart(out: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is, or holds, one of the inputs: writing it would destroy what is compared.

    Raises
    ------
    OutputError
        With the input's name.
    """
    real = Path(os.path.realpath(_absolute(out)))
    for path in inputs:
        if Path(os.path.realpath(path)).is_relative_to(real):
            raise OutputError(f"{out}: would replace the input {path.name}. Choose another name with -o")


def _absolute(out: Path) -> Path:
    if any("\ud800" <= character <= "\udfff" for character in str(out)):
        raise OutputError(f"{out}: its name is not valid UTF-8. Choose another name with -o")
    return Path(os.path.abspath(out))


def _partial(out: Path) -> Path:
    return out.with_name(f".{out.name}.partial-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}")


def _machine() -> str:
    """Six digits for this machine: a process number says nothing about those of another one."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:6]


def _sweep(out: Path) -> None:
    """Remove what killed runs of this name left on this machine: it is not whole, and of no use."""
    ours = re.compile(rf"\.{re.escape(out.name)}\.partial-{_machine()}-(\d+)-[0-9a-f]{{8}}")
    with suppress(OSError):  # a folder may be written to without being listed
        for path in out.parent.iterdir():
            match = ours.fullmatch(path.name)
            if match and not _alive(int(match[1])):
                shutil.rmtree(path, ignore_errors=True)


def _alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # there, asking would end the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextmanager
def _output_errors(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(_refused(out, error)) from error


@contextmanager
def _named(out: Path) -> Iterator[None]:
    """What could not be written is told with the folder that was asked for."""
    try:
        yield
    except OutputError as error:
        raise OutputError(f"{out}: {error}") from error


def _elsewhere(error: OSError, partial: Path, out: Path) -> bool:
    """Whether the failure is about a file that is not ours to write: then it is not an output error."""
    named = error.filename
    return (
        isinstance(named, (str, os.PathLike))
        and not Path(named).is_relative_to(partial)
        and Path(named) != out
    )


def _refused(out: Path, error: OSError) -> str:
    return (
        f"{out}: cannot write: {error.strerror or error}. Free some space, or choose another folder with -o"
    )


def _check_replaceable(out: Path, overwrite: bool) -> None:
    if out.is_symlink():
        raise OutputError(f"{out}: is a symbolic link. Name the folder itself")
    if not out.exists():
        return
    if not out.is_dir():
        raise OutputError(f"{out}: exists and is not a folder. Choose another name with -o")
    if not overwrite:
        raise OutputError(
            f"{out}: already exists. Choose another folder with -o, or replace it with --overwrite"
        )
    foreign = _foreign_entry_of_one(out)
    if foreign is not None:
        raise OutputError(f"{out}: not replaced, because {foreign}. Choose another folder with -o")


def _foreign_entry_of_one(out: Path) -> str | None:
    """`_foreign_entry` of a folder that did not change places with another run's while it was looked at."""
    for _ in range(LOOKS):
        looked_at = out.stat().st_ino
        foreign = _foreign_entry(out)
        if foreign is None or out.stat().st_ino == looked_at:
            break
    return foreign


def _foreign_entry(folder: Path) -> str | None:
    """Why `folder` is neither empty nor exactly what its manifest lists; None if it may be replaced."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise OutputError(_refused(folder, error)) from error
    if not entries:
        return None
    try:
        listed = {
            item["name"] for item in json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["outputs"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return f"it does not look like a run of damagediff (no readable {MANIFEST})"
    strange = sorted(
        e.name for e in entries if e.name not in {*listed, MANIFEST, *BESIDE} or e.is_symlink() or e.is_dir()
    )
    return f"it holds {strange[0]!r}, which is not part of the run" if strange else None


def _publish(partial: Path, out: Path, overwrite: bool) -> None:
    """Give the finished folder its name; what was there before is deleted only afterwards."""
    for _ in range(LOOKS):
        _check_replaceable(out, overwrite)  # again: hours may have passed
        if out.exists():
            _put_in_place(partial, out, lambda old: True)
            return
        _sync_all(partial)
        try:
            os.rename(partial, out)
        except OSError:
            if out.exists():
                continue  # another run got the name a moment ago: as if it had been there all along
            raise
        _sync(out.parent)
        return
    raise OutputError(f"{out}: other runs take this name all the time. Choose another folder with -o")


def _put_in_place(partial: Path, out: Path, unchanged: Callable[[Path], bool]) -> None:
    """Let the finished folder and `out` change places; what was `out` is then deleted, if `unchanged`."""
    _sync_all(partial)
    exchange.folders(partial, out)
    if not unchanged(partial):
        exchange.folders(partial, out)
        raise OutputError(f"{out}: was changed meanwhile. Try again")
    _sync(out.parent)


def _sync_all(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        _sync(path)


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open a folder, and does not need to
    handle = os.open(path, os.O_RDONLY if path.is_dir() or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
