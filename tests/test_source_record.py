"""Source records: what is stated, what is missing, and what contradicts the file."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest
import scenes
from hypothesis import given
from hypothesis import strategies as st

from damagediff import cli_values, errors, outputs, provenance, report, source_record, types

FULL = {
    "before_url": "https://example.org/news?id=1",
    "before_publisher": "Example News",
    "before_credit": "Example Imagery",
    "before_licence": "CC BY 4.0",
    "before_captured_by": "A. Analyst",
    "before_captured_at": "2020-10-14T11:30+02:00",
    "before_archive": "https://archive.example/x",
    "before_original_sha256": "B" * 64,
}
EMPTY = provenance.SourceRecord()


def test_a_full_record_lacks_nothing() -> None:
    record = source_record.stated("before", FULL, EMPTY)
    assert record.missing == ()
    assert record.captured_at == datetime(2020, 10, 14, 9, 30, tzinfo=UTC)
    assert record.captured_precision == "minute"
    assert record.original_sha256 == "b" * 64


def test_an_empty_record_lacks_all_in_order() -> None:
    assert EMPTY.missing == tuple(provenance.SOURCE_FIELDS)


def test_a_file_says_the_same_as_options_which_win(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(
        '[before]\nurl = "https://example.org/a"\npublisher = "Ä"\ncaptured_at = 2020-10-14T09:30:05Z\n'
        "[after]\ncaptured_at = 2020-10-15\n",
        encoding="utf-8",
    )
    records = source_record.read(path)
    assert records["before"].captured_precision == "second" and records["after"].captured_precision == "day"
    record = source_record.stated("before", {"before_publisher": "B"}, records["before"])
    assert (record.url, record.publisher) == ("https://example.org/a", "B")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("url", "javascript:alert(1)", "https://"),
        ("url", "file:///etc/passwd", "https://"),
        ("url", "https://user:secret@example.org/", "password"),
        ("url", "https://example.org/a b", "space"),
        ("url", "https://example.org/\x1b[31m", "https://"),
        ("url", "https://", "https://"),
        ("url", "https://[::1", ""),
        ("url", "https://e.org/" + "a" * 2000, "longer"),
        ("archive", "example.org", "https://"),
        ("original_sha256", "abc", "64"),
        ("captured_at", "yesterday", "date"),
        ("captured_at", "0001-01-01T00:00+14:00", "date"),
        ("publisher", "\u202e\u200b ", "empty"),
        ("licence", "a" * 301, "longer"),
    ],
)
def test_what_cannot_be_is_refused_by_its_option(name: str, value: str, says: str) -> None:
    with pytest.raises(errors.SettingsError, match=f"--after-{name.replace('_', '-')}") as caught:
        source_record.stated("after", {f"after_{name}": value}, EMPTY)
    line = str(caught.value)
    assert says in line and "\x1b" not in line and "\u202e" not in line


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[before\n", "not a readable TOML"),
        ("[during]\n", "during is not known"),
        ('before = "x"\n', "must be a table"),
        ("[before]\nurl = 5\n", "quotation marks"),
        ('[before]\nuri = "https://example.org"\n', "uri is not known"),
        ('[after]\ncaptured_at = "soon"\n', "not a date"),
        ("a = " + "[" * 5000 + "]" * 5000, "not a readable TOML"),
        ("#" * 1_000_001, "at most"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "s.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(errors.InputError, match=r"s\.toml") as caught:
        source_record.read(path)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(errors.InputError):
            source_record.read(path)


@given(st.text(max_size=80))
def test_no_text_steers_a_terminal(text: str) -> None:
    for name in provenance.SOURCE_FIELDS:
        try:
            record = source_record.stated("before", {f"before_{name}": text}, EMPTY)
        except errors.SettingsError as error:
            told = str(error)
        else:
            told = str(getattr(record, name))
        assert not set(told) & {"\x1b", "\u202e", "\n", "\r", "\x00", "\u2066"}


def test_doubts_are_told() -> None:
    record = source_record.stated("before", FULL, EMPTY)
    assert list(record.doubts("b" * 64, None)) == []
    other, early = record.doubts("a" * 64, datetime(2020, 10, 20, tzinfo=UTC))
    assert "not the original" in other and "before it was taken" in early
    assert EMPTY.is_original("a" * 64) is None


def with_records(before: provenance.SourceRecord, after: provenance.SourceRecord = EMPTY):
    told = scenes.comparison()
    images = (
        dataclasses.replace(image, record=record)
        for image, record in ((told.pair.before, before), (told.pair.after, after))
    )
    pair = dataclasses.replace(told.pair, **dict(zip(("before", "after"), images, strict=True)))
    return dataclasses.replace(told, pair=pair)


def test_the_report_says_what_is_missing_and_what_is_stated() -> None:
    full = source_record.stated("before", FULL, EMPTY)
    page = report.html(with_records(full))
    assert page.count("Source record incomplete") == 1
    assert "archive link, SHA-256 of the original" in page
    assert "2020-10-14 09:30 UTC" in page and "(the file given)" in page
    assert "Source record incomplete" not in report.html(with_records(full, full))


def test_hostile_records_stay_words() -> None:
    hostile = dataclasses.replace(
        EMPTY, publisher="<script>alert(1)</script>", url='https://e.org/"><img src=x>'
    )
    page = report.html(with_records(hostile))
    assert "<script>alert" not in page and "<img src=x>" not in page


def test_results_hold_the_record() -> None:
    record = source_record.stated("before", FULL, EMPTY)
    told = outputs.results(with_records(record))["pair"]
    assert told["before"]["source"]["missing"] == [] and told["before"]["source"]["is_original"] is True
    assert told["after"]["source"]["url"] is None and len(told["after"]["source"]["missing"]) == 8


def asked(before: str, after: str, **given: str) -> types.Case:
    keys = ["date", "bands", "world_file", "crs"]
    blank = dict.fromkeys([f"{side}_{key}" for side in source_record.SIDES for key in keys])
    more = ("event_date", "footprints", "tie_points", "exclude", "aoi", "gsd", "scale_bar", "place", "stable")
    lists = {"baselines": (), "baseline_dates": (), "title": ""}
    return cli_values.case(Path(before), Path(after), blank | dict.fromkeys(more) | lists | given)


def test_what_is_stated_of_one_file_holds_for_both_of_its_panels() -> None:
    """But for credit and licence, which are those of an image."""
    case = asked("page.png", "page.png", **FULL)
    assert case.before.record.missing == ()
    assert case.after.record.missing == ("credit", "licence")
    assert case.after.record.captured_precision == "minute"
    assert case.after.credit is None
    assert asked("a.png", "b.png", **FULL).after.record == EMPTY


def test_a_time_without_a_zone_is_said_to_be_taken_for_utc() -> None:
    case = asked("a.png", "b.png", before_date="2020-10-04T07:52", event_date="2020-10-11T02:00")
    assert case.taken_for_utc == ("the before image", "the event")
    sure = asked("a.png", "b.png", before_date="2020-10-04T07:52+04:00", after_date="2020-10-13")
    assert sure.taken_for_utc == ()
