"""A run where nothing of Linux's own is there: as near as Linux comes to macOS and Windows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scenes
import test_cli

from damagediff import raster, synthetic

ROOT = Path(__file__).parents[1]
ELSEWHERE = """
import asyncio, os, signal, socket, sys
import cv2, matplotlib.figure, matplotlib.backends.backend_agg, numpy, PIL.Image, pyproj, rasterio
import scipy.ndimage
import scipy.optimize, scipy.signal, scipy.spatial, shapely, skimage.measure, ctypes, subprocess
sys.platform = "elsewhere"
for module in ("fcntl", "resource"):
    sys.modules[module] = None
for name in ("fork", "sched_getaffinity", "memfd_create", "sysconf", "O_PATH"):
    delattr(os, name)
for name in ("SIGHUP", "SIGKILL"):
    delattr(signal, name)
for name in ("send_fds", "recv_fds", "AF_UNIX"):
    delattr(socket, name)
from damagediff import cli
for words in sys.argv[1:]:
    cli.main(words.split("|"), standalone_mode=False)
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    before = test_cli.houses(1)
    after = np.nan_to_num(synthetic.warp(before, test_cli.TRUTH)) * 0.9 + 18
    after += scenes.ripples(after.shape[1:], np.random.default_rng(2))
    pair = ["before.png", "after.png"]
    for name, data in zip(pair, (before, after), strict=True):
        raster.write_png(folder / name, test_cli.as_bytes(data))
    commands = [
        ["info", "--json", pair[0]],
        ["doctor"],
        ["compare", *pair, "-o", "run", "--no-selftest", "--no-pdf", "-q"],
        ["verify", "run"],
        ["bundle", "run", "-o", "run.zip"],
    ]
    return folder, subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *("|".join(words) for words in commands)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_needs_nothing_of_linux_alone(done):
    folder, process = done
    assert process.returncode == 0, process.stderr[-3000:]
    manifest = json.loads((folder / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["environment"]["sandbox"] == "none"
    assert "nothing holds a hostile file back here" in " ".join(process.stdout.split())
    acts = (folder / "run" / "custody.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(acts) == 3 and (folder / "run.zip").is_file()
    assert sorted(path.name for path in folder.iterdir()) == ["after.png", "before.png", "run", "run.zip"]
