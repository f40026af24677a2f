"""Every command of the tutorials is run, in order, in one folder, and prints what they say.

A block ``console`` has commands after ``$`` and what they print; ``...`` stands for anything, and where lines
break does not matter. A block ``python`` that begins with ``# NAME.py`` is that file.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("georeferenced", "screenshots", "composite", "buildings", "review", "verify")
ORDER = ("quick-start", *(f"tutorials/{page}" for page in PAGES))
"""As they are to be read: later ones use the runs of earlier ones."""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the tutorials show a Unix shell")


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """(kind, content) of each fenced block, from the top."""
    yield from re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def steps(block: str) -> Iterator[tuple[str, str]]:
    """(command, what it should print) of each command in a ``console`` block."""
    for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = step.splitlines()
        end = next(k for k, line in enumerate(lines) if not line.endswith("\\"))
        yield "\n".join(lines[: end + 1]), "\n".join(lines[end + 1 :])


def matches(shown: str, printed: str) -> bool:
    """Whether `printed` is what a page shows, ``...`` being anything."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in shown.split("...")]
    return (
        re.fullmatch(r"\s*" + r".*?".join(rf"\s*{part}\s*" for part in parts), printed, re.DOTALL) is not None
    )


def run(command: str, folder: Path) -> str:
    """What a command prints, on both streams; it must succeed."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all are run; it looks like the folder of the repository."""
    made = tmp_path_factory.mktemp("tutorials")
    (made / "sample_images").symlink_to(ROOT / "sample_images")
    return made


@pytest.mark.parametrize("page", ORDER)
def test_a_tutorial_does_what_it_says(page: str, folder: Path) -> None:
    for kind, block in blocks(ROOT / "docs" / f"{page}.md"):
        if kind == "python":
            name = re.match(r"# (\w+\.py)\n", block)
            assert name, f"{page}: a block of Python without the name of its file"
            (folder / name[1]).write_text(block, encoding="utf-8")
        for command, shown in steps(block) if kind == "console" else ():
            printed = run(command, folder)
            assert matches(shown, printed), (
                f"{page} shows of\n{command}\n{shown}\n--- and it printed\n{printed}"
            )


def test_all_tutorials_are_run_and_all_readme_commands_are_among_them() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "tutorials").glob("*.md")}
    assert {f"tutorials/{page}" for page in pages} | {"quick-start"} == set(ORDER)

    def commands(*names: str) -> set[str]:
        found = (block for name in names for kind, block in blocks(ROOT / name) if kind == "console")
        return {
            " ".join(command.replace("\\\n", " ").split()) for block in found for command, _ in steps(block)
        }

    shown = commands("README.md")
    assert shown and shown <= commands(*(f"docs/{page}.md" for page in ORDER))


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("one\ntwo", "one two\n", True),
        ("one ... four", "one\ntwo three\nfour\n", True),
        ("... %", "12 %", True),
        ("", "", True),
        ("", "a note that the page does not show", False),
        ("one ...", "two", False),
        ("10 regions", "110 regions", False),
    ],
)
def test_what_is_shown_is_compared(shown: str, printed: str, same: bool) -> None:
    assert matches(shown, printed) is same
