"""What the documents say is there, and what is there is in the documents."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import test_floors
from click.testing import CliRunner

from damagediff import case_template, errors, settings, types

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(
            page
            for part in ("docs", "reports", "sample_images", "benchmarks")
            for page in (ROOT / part).rglob("*.md")
        ),
    ]
)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken, f"{name(page)} links to {broken}"


def test_readme_lists_every_exit_code() -> None:
    documented = set(map(int, re.findall(r"^\| (\d+) \|", text("README.md"), re.MULTILINE)))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert documented == {0} | {kind.exit_code for kind in kinds}  # type: ignore[attr-defined]


@pytest.mark.parametrize("script", ["settings_page", "cli_page", "case_page"])
def test_a_generated_page_is_what_the_code_says(script: str) -> None:
    spec = importlib.util.spec_from_file_location(script, ROOT / "docs" / f"{script}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), f"run: python docs/{script}.py"


def test_every_setting_is_listed() -> None:
    flat = {
        f"{stage}.{key}"
        for stage, part in settings.to_dict(settings.Settings()).items()
        if isinstance(part, dict)
        for key in part
    }
    listed = set(re.findall(r"^\| `([a-z_]+\.[a-z_0-9]+)` \|", text("docs/settings.md"), re.MULTILINE))
    assert listed == flat


def group() -> click.Group:
    from damagediff import cli  # here, so that a broken command line fails its own tests only

    return next(value for value in vars(cli).values() if isinstance(value, click.Group))


def calls(page: Path) -> Iterator[list[str]]:
    """Words of each ``damagediff ...`` that stands in code on a page."""
    content = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```\w*\n(.*?)^```", content, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += re.findall(r"`(damagediff [^`]+)`", re.sub(r"^```.*?^```", "", content, flags=re.M | re.S))
    lines = [line.removeprefix("$ ") for line in lines]
    return (line.split() for line in lines if line.startswith("damagediff "))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_and_options_exist(page: Path) -> None:
    for _, command, *words in calls(page):
        if command.startswith("-"):
            continue
        known = group().commands
        assert command in known, f"{name(page)}: there is no command {command}"
        options = {option for param in known[command].params for option in param.opts + param.secondary_opts}
        used = {word.strip("[]").split("=")[0] for word in words if re.match(r"\[?-[a-z-]", word)}
        assert used <= options | {"--help"}, f"{name(page)}: {command} has no {sorted(used - options)}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_settings_named_after_set_exist(page: Path) -> None:
    for key, value in re.findall(r"--set ([a-z_.]+)=([\w.]+)", page.read_text(encoding="utf-8")):
        assert settings.load(None, (f"{key}={value}",))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    used = set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert used <= targets


def test_the_architecture_names_every_room_on_its_floor() -> None:
    rows = re.findall(r"^\| (\d+) \|([^|]*)\|([^|]*)\|", text("docs/architecture.md"), re.MULTILINE)
    drawn = {room: int(floor) for floor, *cells in rows for room in re.findall(r"`(\w+)`", "".join(cells))}
    assert drawn == {room: test_floors.floor(room) for room in (*test_floors.FLOOR, *test_floors.HELPER_OF)}


def test_every_reference_is_cited_and_every_citation_has_one() -> None:
    body, references = text("docs/method.md").split("## References")
    listed = set(re.findall(r"^(\d+)\. ", references, re.MULTILINE))
    cited = {number for group in re.findall(r"\[(\d+(?:, \d+)*)\]", body) for number in group.split(", ")}
    assert cited == listed


TASKS = re.findall(r"^damagediff compare .*$", text("docs/tasks.md").replace("\\\n", " "), re.MULTILINE)


@pytest.mark.parametrize("command", TASKS)
def test_values_of_the_tasks_are_understood(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the comparison itself, which the tutorials make."""
    from damagediff import cli, cli_dry, cli_gis

    asked: list[types.Case] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_run", lambda case, *rest: asked.append(case))
    monkeypatch.setattr(cli_dry, "compare", lambda case, *rest: asked.append(case))
    monkeypatch.setattr(cli_gis, "after_compare", lambda *_: None)
    words = shlex.split(command)[1:]
    if words[1].endswith(".toml"):
        case_template.write(Path(words[1]).parent, None)
    if "--settings" in words:
        Path(words[words.index("--settings") + 1]).write_text("[align]\nwindow_px = 96\n", encoding="utf-8")
    if "--sources" in words:
        Path(words[words.index("--sources") + 1]).write_text(
            '[before]\nurl = "https://example.org"\n', encoding="utf-8"
        )
    result = CliRunner().invoke(cli.main, words)
    assert result.exit_code == 0, result.output
    assert len(asked) == 1
