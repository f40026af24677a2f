"""Reviews: what is refused and how, how two agree, and that a run only ever gets a further sealed state."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import scenes
import test_figure_pages
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from damagediff import (
    agreement,
    cli,
    custody,
    digests,
    drawing,
    evidence,
    exchange,
    figures,
    folders,
    outputs,
    report,
    review_files,
    reviewing,
    runs,
    saved,
    signatures,
    states,
    types,
    verify,
)
from damagediff.errors import DamagediffError, EvidenceError, InputError, OutputError
from damagediff.judged import Judgement, Review

SMALL = (96, 144)
STARTED = datetime(2024, 3, 1, 12, 30, 5, tzinfo=UTC)


def compared(**changes: Any) -> types.Comparison:
    """A comparison with regions, buildings and a claim, of half-metre pixels."""
    found = scenes.comparison(SMALL, buildings=scenes.buildings(SMALL), **changes)
    told = outputs.result_settings(found.settings)
    case = dataclasses.replace(found.case, claims=(types.Claim("A roof is gone.", "a post"),))
    return dataclasses.replace(found, case=case, settings=told)


COMPARED = compared()
ID = outputs.evidence_id(COMPARED)


def said(*items: Any, **changes: Any) -> dict[str, Any]:
    whole = {"format": 1, "evidence_id": ID, "reviewer": "A.B.", "scale": None, "items": list(items)}
    return whole | changes


def region(number: Any = 1, decision: Any = "accepted", **more: Any) -> dict[str, Any]:
    return {"kind": "region", "id": number, "decision": decision, "reason": "", "grade": None} | more


def parse(review: Any, comparison: types.Comparison = COMPARED) -> Review:
    return review_files.parse(json.dumps(review).encode(), comparison, "review-001.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run folder, sealed; copied by whoever changes it."""
    folder = tmp_path_factory.mktemp("made") / "run"
    folder.mkdir()
    outputs.write_results(COMPARED, folder)
    drawing.draw(COMPARED, folder)
    (folder / "change_mask.tif").write_bytes(b"measured")
    saved.write(COMPARED, folder)
    evidence.write_manifest(folder, COMPARED, ["damagediff", "compare", "b.tif", "a.tif"], STARTED)
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(review: Any) -> Path:
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(review), encoding="utf-8")
        return path

    return written


def invoke(*arguments: object):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_review_is_read_with_all_that_it_says() -> None:
    found = parse(
        said(
            region(2, "rejected", reason="a\tshadow \u202e", grade=None),
            region(3, grade="Destroyed"),
            {"kind": "building", "id": "=2+3", "decision": "unsure"},
            {"kind": "claim", "id": 1, "finding": "cannot tell", "regions": [3, 1, 3], "reason": "a bracket"},
            scale="unosat",
        )
    )
    assert found.judgements == (
        Judgement("region", "2", "rejected", "a shadow"),
        Judgement("region", "3", "accepted", "", "Destroyed"),
        Judgement("building", "=2+3", "unsure"),
        Judgement("claim", "1", "cannot tell", "a bracket", None, (1, 3)),
    )


DEEP = 100_000
HOSTILE: dict[str, Any] = {
    "no JSON": (b"{", "not JSON"),
    "no UTF-8": (b"\xff\xfe", "not UTF-8"),
    "a list": (b"[]", "no review"),
    "a number": (b"7", "no review"),
    "nested": (b"[" * DEEP + b"]" * DEEP, "nested"),
    "NaN": (b'{"format": NaN}', "NaN is no number"),
    "a long number": (b"9" * 5000, "no|digits"),
    "a key twice": (b'{"format": 1, "format": 1}', "stands twice"),
    "no reviewer": (said(reviewer=" \u200b "), "reviewer is empty"),
    "reviewer no text": (said(reviewer=["A"]), "reviewer is a list of 1"),
    "reviewer too long": (said(reviewer="A" * 41), "reviewer has 41"),
    "another format": (said(format=2), "format is 2"),
    "format true": (said(format=True), "format is True"),
    "unknown key": (said(verdict="guilty"), "unknown key 'verdict'"),
    "unknown scale": (said(scale="mine"), "scale is 'mine'"),
    "scale a list": (said(scale=[]), "scale is a list"),
    "items no list": (said(items={}), "items is no list"),
    "item no object": (said(3), "item 1: kind"),
    "kind no text": (said({"kind": []}), "item 1: kind"),
    "unknown kind": (said(region(), {"kind": "person"}), "item 2: kind"),
    "id a float": (said(region(1.0)), "item 1: id"),
    "id true": (said(region(True)), "item 1: id"),
    "no such region": (said(region(1), region(99)), r"item 2 \(region '99'\): this run has no such region"),
    "no such building": (said({"kind": "building", "id": "<b>"}), "no such building"),
    "no such claim": (said({"kind": "claim", "id": 2}), "no such claim"),
    "item twice": (said(region(1), region("1", "rejected")), r"item 2 \(region '1'\): stands twice"),
    "unknown decision": (said(region(1, "destroyed")), "decision is 'destroyed'"),
    "decision a list": (said(region(1, ["accepted"])), "decision is a list"),
    "no decision": (said({"kind": "region", "id": 1}), "decision is None"),
    "reason no text": (said(region(reason=3)), "reason is 3"),
    "reason too long": (said(region(reason="x" * 2001)), "reason has 2,001"),
    "unknown key of an item": (said(region(note="x")), "unknown key 'note'"),
    "grade without a scale": (said(region(grade="Destroyed")), "names no scale"),
    "grade of another scale": (said(region(grade="Damaged"), scale="unosat"), "grade is 'Damaged'"),
    "grade a list": (said(region(grade=["Damaged"]), scale="unosat"), "grade is a list"),
    "claim with a decision": (said({"kind": "claim", "id": 1, "decision": "accepted"}), "unknown key"),
    "claim without finding": (said({"kind": "claim", "id": 1}), "finding is None"),
    "claim names no region": (said({"kind": "claim", "id": 1, "finding": "supports", "regions": [99]}), "99"),
    "claim names true": (said({"kind": "claim", "id": 1, "finding": "supports", "regions": [True]}), "True"),
}  # fmt: skip


@pytest.mark.parametrize("defect", HOSTILE)
def test_a_bad_review_is_one_line_and_nothing_is_written(defect: str, made: Path, tmp_path: Path) -> None:
    given_, words = HOSTILE[defect]
    path = tmp_path / "mine.json"
    path.write_bytes(given_ if isinstance(given_, bytes) else json.dumps(given_).encode())
    before = contents(made)
    with pytest.raises(InputError, match=words) as caught:
        reviewing.add(made, path)
    message = str(caught.value)
    assert message.startswith("mine.json: ") and "\n" not in message and len(message) < 300
    assert contents(made) == before and [p.name for p in made.parent.iterdir()] == ["run"]


def test_a_file_that_is_no_review_is_not_read(made: Path, tmp_path: Path) -> None:
    (tmp_path / "large.json").write_bytes(b" " * (review_files.MAX_BYTES + 1))
    for path, words in (
        (tmp_path / "large.json", "larger"),
        (tmp_path / "none", "cannot be read"),
        (tmp_path, "not a regular file"),
    ):
        with pytest.raises(InputError, match=words):
            reviewing.add(made, path)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from(
        ["format", "evidence_id", "reviewer", "scale", "items", "kind", "id", "decision", "grade"]
    ),
)
def test_whatever_stands_in_a_review_is_read_or_refused(value: Any, key: str) -> None:
    whole = said(region())
    place = whole if key in whole else whole["items"][0]
    place[key] = value
    try:
        parse(whole)
    except DamagediffError as error:
        assert "\n" not in str(error) and len(str(error)) < 400


def test_a_review_of_another_run_is_exit_code_5(made: Path, write: Callable[..., Path]) -> None:
    done = invoke("review", made, write(said(region(), evidence_id="0" * 12)))
    assert done.exit_code == 5 and "is a review of another run" in done.stderr and ID in done.stderr


@pytest.mark.parametrize(("gsd_m", "allowed"), [(None, False), (0.5, True), (1.0, True), (1.01, False)])
def test_grades_are_for_fine_pixels_only(gsd_m: float | None, allowed: bool) -> None:
    found = compared(georeferenced=False, gsd_m=gsd_m)
    review = said(region(grade="Damaged"), scale="copernicus", evidence_id=outputs.evidence_id(found))
    if allowed:
        assert parse(review, found).judgements[0].grade == "Damaged"
    else:
        with pytest.raises(InputError, match="at most 1 m"):
            parse(review, found)
    assert ('class="scale"' in report.html(found)) == allowed


def test_kappa_is_that_of_published_tables() -> None:
    # Cohen's own example of 1960, table 1: 200 judgements, kappa .492
    table = {("a", "a"): 88, ("a", "b"): 14, ("a", "c"): 18, ("b", "a"): 10, ("b", "b"): 40, ("b", "c"): 10,
             ("c", "a"): 2, ("c", "b"): 6, ("c", "c"): 12}  # fmt: skip
    found = agreement.kappa([pair for pair, n in table.items() for _ in range(n)])
    assert found == pytest.approx((0.70 - 0.41) / (1 - 0.41))
    assert agreement.kappa([("a", "b"), ("b", "a")]) == -1
    assert agreement.kappa([]) is None and agreement.kappa([("a", "a")] * 5) is None


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("xyz")), max_size=30))
def test_kappa_is_symmetric_and_bounded(pairs: list[tuple[str, str]]) -> None:
    found = agreement.kappa(pairs)
    assert found == agreement.kappa([(b, a) for a, b in pairs])
    assert found is None or -1 <= found <= 1
    if found is not None:
        assert (found == 1) == all(a == b for a, b in pairs)


def reviewed(*by: tuple[str, dict[int, str]]) -> tuple[Review, ...]:
    return tuple(
        Review("", who, None, tuple(Judgement("region", str(n), d) for n, d in decisions.items()))  # type: ignore[arg-type]
        for who, decisions in by
    )


def test_the_last_word_of_each_reviewer_counts() -> None:
    found = reviewed(
        ("A.B.", {1: "accepted", 2: "rejected", 3: "unsure"}),
        ("C.D.", {1: "accepted", 2: "accepted"}),
        ("a.b.", {1: "rejected", 4: "rejected"}),
    )
    assert agreement.states(found, "region") == {
        "1": "disputed",
        "2": "disputed",
        "3": "unsure",
        "4": "rejected",
    }
    (both,) = agreement.agreements(found)
    assert both.reviewers == ("A.B.", "C.D.") and (both.items, both.same) == (2, 0)


def test_figures_name_what_was_rejected() -> None:
    found = reviewed(
        ("A.B.", {n: "rejected" for n in range(1, 12)} | {12: "accepted"}), ("C.D.", {3: "unsure"})
    )
    told = "regions by review: rejected 1, 2, 4, 5, 6, 7, 8, 9, 10, 11; disputed 3"
    assert told in figures.footer(dataclasses.replace(COMPARED, reviews=found))
    good = reviewed(("A.B.", {1: "accepted"}))
    assert "reviewed: no region rejected" in figures.footer(dataclasses.replace(COMPARED, reviews=good))
    assert not [part for part in figures.footer(COMPARED) if "review" in part]


def test_a_review_becomes_a_further_state_of_the_run(run: Path, write: Callable[..., Path]) -> None:
    before = contents(run)
    path = write(said(region(2, "rejected", reason="<img src=x onerror=alert(1)>")))
    done = invoke("review", run, path, "--operator", "E.F.")
    assert done.exit_code == 0, done.output
    after = contents(run)
    assert after["review-001.json"] == path.read_bytes()
    assert after["manifest-000.json"] == before["manifest.json"]
    drawn = {"report.html", "manifest.json", "SHA256SUMS", "custody.jsonl", "ro-crate-metadata.json"}
    changed = {name for name, data in before.items() if after[name] != data}
    assert (
        drawn
        <= changed
        <= drawn | {"figure.png", "figure.svg", "figure_clean.png", "figure_clean.svg", "report.pdf"}
    )
    assert after["custody.jsonl"].startswith(before["custody.jsonl"])
    record = json.loads(after["custody.jsonl"].splitlines()[-1])
    assert (record["act"], record["reviewer"], record["operator"]) == ("reviewed", "A.B.", "E.F.")
    assert record["review"]["sha256"] == digests.entry(path)["sha256"]
    assert record["sha256sums"] == digests.of_text(after["SHA256SUMS"].decode())
    manifest = json.loads(after["manifest.json"])
    assert manifest["follows"]["manifest_sha256"] == json.loads(before["manifest.json"])["manifest_sha256"]
    assert manifest["evidence_id"] == ID and manifest["created"] == "2024-03-01T12:30:05Z"
    assert verify.run(run).findings == ()
    assert [p.name for p in run.parent.iterdir() if p.name.startswith(".")] == []


def test_a_second_review_follows_the_first(run: Path, write: Callable[..., Path], tmp_path: Path) -> None:
    reviewing.add(run, write(said(region(1), region(2, "rejected", reason="a shadow"), region(3))))
    first = (run / "manifest.json").read_bytes()
    reviewing.add(run, write(said(region(1), region(2, "rejected"), region(3, "unsure"), reviewer="C.D.")))
    assert (run / "manifest-001.json").read_bytes() == first
    found = verify.run(run)
    assert found.findings == () and len([n for n in found.notes if n.startswith("reviewed by")]) == 2
    words = (run / "report.html").read_text(encoding="utf-8")
    assert "2 of 3 judged alike, Cohen&#39;s kappa 0.50" in words
    assert "1 accepted, 1 rejected, 1 disputed" in words and "a shadow" in words
    runs.draw_again(run, tmp_path / "drawn")
    assert (tmp_path / "drawn" / "report.html").read_text(encoding="utf-8") == words


def test_a_review_takes_a_font_and_tells_when_one_is_lost(
    run: Path, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    font, drawn = test_figure_pages.made_font(tmp_path / "own.ttf"), []
    draw = drawing.draw
    monkeypatch.setattr(drawing, "draw", lambda *given: (drawn.append(given[2].font), draw(*given)))
    path = write(said(region()))
    assert invoke("review", run, path, "--font", font).exit_code == 0
    assert invoke("review", run, path, "--font", path).exit_code == 3  # no font: refused before anything
    assert not (run / "review-002.json").exists() and drawn == [font]
    manifest = {"inputs": [{"field": "before", "name": "b.tif"}, {"field": "font", "name": "own.ttf"}]}
    monkeypatch.setattr(verify, "read_manifest", lambda folder: (manifest, b""))
    assert reviewing.font_left_out(run, None) == "own.ttf" and reviewing.font_left_out(run, font) is None


def test_a_reason_cannot_pass_for_another_reviewer() -> None:
    forged = "a shadow C.D.: accepted"
    item = {"kind": "region", "id": 1, "decision": "rejected", "reason": forged, "grade": None}
    html = report.html(dataclasses.replace(COMPARED, reviews=(parse(said(item)),)))
    assert f"A.B.: rejected: “{forged}”" in html


def test_rejected_regions_stay_listed_as_rejected() -> None:
    found = dataclasses.replace(COMPARED, reviews=reviewed(("A.B.", {1: "rejected", 2: "accepted"})))
    html = report.html(found)
    assert html.count('class="judged-below rejected"') == 1
    assert 'class="region-card structural rejected"' in html
    assert 'class="swatch rejected"' in html and 'class="box structural rejected"' in html
    assert html.count('data-kind="region"') == len(found.regions)
    assert 'class="swatch rejected"' not in report.html(COMPARED)
    assert outputs.results_json(found) == outputs.results_json(COMPARED)


def test_signatures_of_earlier_states_are_kept_and_checked(run: Path, write: Callable[..., Path]) -> None:
    proof = signatures.OTS_HEAD + bytes.fromhex(digests.entry(run / "manifest.json")["sha256"])
    (run / "manifest.json.ots").write_bytes(proof)
    reviewing.add(run, write(said(region())))
    assert not (run / "manifest.json.ots").exists()
    found = verify.run(run)
    assert found.findings == () and any(n.startswith("manifest-000.json.ots: ") for n in found.notes)


@pytest.fixture(scope="module")
def made_and_reviewed(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run with one review."""
    folder = tmp_path_factory.mktemp("reviewed")
    (folder / "mine.json").write_text(json.dumps(said(region())))
    reviewing.add(Path(shutil.copytree(made, folder / "run")), folder / "mine.json")
    return folder / "run"


@pytest.fixture
def reviewed_run(made_and_reviewed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_and_reviewed, tmp_path / "reviewed"))


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """A manifest changed on purpose, with its own hash put right."""
    manifest = json.loads(path.read_text())
    change(manifest)
    text = json.dumps(manifest | {digests.OWN_DIGEST: digests.NO_DIGEST}, indent=2)
    path.write_text(digests.sealed(text))


TAMPERED: dict[str, Callable[[Path], Any]] = {
    "review changed": lambda run: (run / "review-001.json").write_text("{}"),
    "review removed": lambda run: (run / "review-001.json").unlink(),
    "review added": lambda run: shutil.copy(run / "review-001.json", run / "review-002.json"),
    "earlier manifest removed": lambda run: (run / "manifest-000.json").unlink(),
    "earlier manifest changed": lambda run: rewritten(
        run / "manifest-000.json", lambda manifest: manifest.update(created="2020-01-01T00:00:00Z")
    ),
    "earlier manifest unreadable": lambda run: (run / "manifest-000.json").write_text("[]"),
    "report put back": lambda run: report.write(COMPARED, run),
    "manifest put back": lambda run: shutil.copy(run / "manifest-000.json", run / "manifest.json"),
    "follows nothing": lambda run: rewritten(run / "manifest.json", lambda m: m.pop("follows")),
    "other inputs": lambda run: rewritten(run / "manifest.json", lambda m: m.update(inputs=[])),
    "review forgotten": lambda run: rewritten(run / "manifest.json", lambda m: m.pop("reviews")),
    "log cut": lambda run: (run / "custody.jsonl").write_text(
        (run / "custody.jsonl").read_text().split("\n")[0] + "\n"
    ),
}


@pytest.mark.parametrize("deed", TAMPERED)
def test_what_is_changed_after_a_review_is_found(
    deed: str, reviewed_run: Path, write: Callable[..., Path]
) -> None:
    run = reviewed_run
    assert verify.run(run).findings == ()
    TAMPERED[deed](run)
    try:
        findings = verify.run(run).findings
    except EvidenceError:
        findings = ("not a manifest",)
    assert findings
    with pytest.raises(EvidenceError):
        reviewing.add(run, write(said(region())))


def test_a_run_put_back_to_its_first_state_is_found_by_its_log(made: Path, reviewed_run: Path) -> None:
    first, run = contents(made), reviewed_run
    for path in run.iterdir():
        if path.name not in first:
            path.unlink()
        elif path.name != custody.LOG:
            path.write_bytes(first[path.name])
    assert {finding.name for finding in verify.run(run).findings} == {custody.LOG}


def test_a_run_that_changes_meanwhile_stays_as_it_is(
    run: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(comparison: types.Comparison, folder: Path, more: drawing.More) -> None:
        custody.append(run, "verified", {"sound": True}, None)

    monkeypatch.setattr(drawing, "draw", draw)
    with pytest.raises(OutputError, match="was changed meanwhile"):
        reviewing.add(run, write(said(region())))
    assert verify.run(run).findings == () and not (run / "review-001.json").exists()
    assert [p.name for p in run.parent.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_review_that_fails_leaves_the_run_as_it_was(
    at_once: bool, run: Path, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not at_once:
        monkeypatch.setattr(exchange, "_at_once", lambda one, other: False)
    before = contents(run)

    def fail(comparison: types.Comparison, folder: Path, more: drawing.More) -> None:
        (folder / "report.html").write_text("half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(drawing, "draw", fail)
        with pytest.raises(OutputError, match="No space"):
            reviewing.add(run, write(said(region())))
    assert contents(run) == before
    reviewing.add(run, write(said(region())))
    assert verify.run(run).findings == ()


def test_nothing_of_the_old_state_is_written_into(
    run: Path, write: Callable[..., Path], tmp_path: Path
) -> None:
    for path in run.iterdir():
        os.link(path, tmp_path / f"linked-{path.name}")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("linked-*")}
    reviewing.add(run, write(said(region())))
    assert {path.name: path.read_bytes() for path in tmp_path.glob("linked-*")} == before


def test_two_folders_change_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        for name in ("one", "other"):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "name").write_text(name)
        exchange.folders(tmp_path / "one", tmp_path / "other")
        assert (tmp_path / "one" / "name").read_text() == "other"
        assert (tmp_path / "other" / "name").read_text() == "one"
        assert len(list(tmp_path.iterdir())) == 2
        monkeypatch.setattr(exchange, "_at_once", lambda one, other: False)


def test_a_bundle_of_a_reviewed_run_verifies(reviewed_run: Path, tmp_path: Path) -> None:
    assert invoke("bundle", reviewed_run, "-o", tmp_path / "x.zip", "--no-pictures").exit_code == 0
    shutil.unpack_archive(tmp_path / "x.zip", tmp_path / "there")
    assert verify.run(tmp_path / "there" / "reviewed").findings == ()


def test_a_reviewed_run_may_be_replaced_by_a_new_one(reviewed_run: Path) -> None:
    with folders.run_folder(reviewed_run, overwrite=True) as folder:
        (folder / "manifest.json").write_text("{}")
    assert [path.name for path in reviewed_run.iterdir()] == ["manifest.json"]


def test_names_of_states_have_their_order() -> None:
    assert [states.kept_name(0), states.review_name(12)] == ["manifest-000.json", "review-012.json"]
    assert states.added("manifest-000.json.sig") and not states.added("manifest.json")
