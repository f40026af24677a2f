"""Settings come from TOML and back, and a mistake is named by its key."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from damagediff import settings
from damagediff.errors import SettingsError
from damagediff.settings import AlignSettings, DiffSettings, Settings

CHANGED = Settings(align=AlignSettings(window_px=96, max_shift_px=12.5, model="affine"), seed=7)


def test_defaults_are_inside_their_own_limits() -> None:
    assert settings.from_dict({}) == Settings()
    assert settings.load(None) == Settings()


@pytest.mark.parametrize("wanted", [Settings(), CHANGED])
def test_toml_and_json_bring_the_same_settings_back(tmp_path: Path, wanted: Settings) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(settings.to_toml(wanted), encoding="utf-8")
    assert settings.load(path) == wanted
    assert settings.from_dict(json.loads(json.dumps(settings.to_dict(wanted)))) == wanted


def test_the_written_toml_names_what_is_not_set() -> None:
    text = settings.to_toml(Settings())
    assert "# max_shift_px" in text
    assert "max_shift_px" not in tomllib.loads(text)["align"]


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("seed = 3\n[align]\nwindow_px = 64\nmax_rival = 0.8\n", encoding="utf-8")
    found = settings.load(path, ("align.window_px=96", "align.model=similarity", "diff.threshold = .7"))
    assert (found.seed, found.align.max_rival) == (3, 0.8)
    assert (found.align.window_px, found.align.model, found.diff.threshold) == (96, "similarity", 0.7)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("align.windw_px=96", "align.windw_px"),
        ("algn.window_px=96", "algn"),
        ("windows=1", "windows"),
        ("align.window_px=big", "align.window_px"),
        ("align.window_px=96.5", "align.window_px"),
        ("align.window_px=-1", "align.window_px"),
        ("align.model=perspective", "align.model"),
        ("align.max_rival=11", "align.max_rival"),
        ("diff.threshold=nan", "diff.threshold"),
        ("diff.threshold=ostu", "diff.threshold = 'ostu'"),
        ("diff.hysteresis=1.5", "diff.hysteresis"),
        ("regions.min_region_unit=ha", "regions.min_region_unit"),
        ("align.max_shift_px=inf", "align.max_shift_px"),
        ("workers=-1", "workers"),
        ("tile_px=100", "tile_px"),
        ("tile_px=32", "tile_px"),
        ("align=5", "align"),
        ("align", "KEY=VALUE"),
        ("seed.x=1", "seed"),
    ],
)
def test_a_message_names_the_key(override: str, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.load(None, (override,))
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_override_under_a_plain_value_is_refused() -> None:
    with pytest.raises(SettingsError, match="seed is not a table"):
        settings.load(None, ("seed=1", "seed.x=1"))


@pytest.mark.parametrize("text", [b"seed = ", b"\xff\xfe", b"[align]\nwindow_px = 1\nwindow_px = 2\n"])
def test_a_file_that_is_not_toml_is_named(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(text)
    with pytest.raises(SettingsError, match=r"broken\.toml"):
        settings.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        settings.load(tmp_path / "nowhere.toml")


def test_limits_hold_for_settings_made_in_python_too() -> None:
    with pytest.raises(SettingsError, match=r"diff\.threshold = 2"):
        Settings(diff=DiffSettings(threshold=2))
