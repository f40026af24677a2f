"""Broken pictures without number: mutations of small whole ones, through `info` and `compare`.

python tests/fuzz.py [--cases 10000] [--minutes 30] [--seed 1] [--out FILE.json]

Every case must end with exit code 0, 3 or 4, without a traceback, within 20 s of processor time and 2 GiB of
memory.
Case k of a seed is the same file wherever the seed files are the same. Cases run in forks of this process, so
that not even a crash ends the run.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from click.testing import CliRunner
from PIL import Image as Picture

from damagediff import cli, decoding, pipeline

BATCH = 20
SECONDS, WALL_SECONDS, MEMORY_BYTES = 20, 240, 2 << 30
ENDLESS = "3, its decoder stopped after its time"
CODES = (0, 3, 4, ENDLESS)
COMPARED = 12
"""Of the cases that `info` lets pass, one in so many is compared too; of those that it refuses, every one."""
EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def textured() -> np.ndarray[Any, Any]:
    """(96, 112, 3) with enough in it to be compared."""
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(30, 220, (12, 14, 3)), np.ones((8, 8, 1)))
    return np.clip(coarse + rng.integers(-9, 10, coarse.shape), 1, 255).astype(np.uint8)


def seeds() -> dict[str, bytes]:
    """Whole files by name, of every kind that is read and of every way in which such a kind stores pixels."""
    found: dict[str, bytes] = {}
    rgb = Picture.fromarray(textured())
    exif = Picture.Exif()
    exif[274], exif[306] = 6, "2020:10:11 10:00:00"
    pillow: dict[str, tuple[Picture.Image, dict[str, Any]]] = {
        "rgb.png": (rgb, {"exif": exif}),
        "grey.png": (rgb.convert("L"), {}),
        "palette.png": (rgb.quantize(32), {}),
        "bit.png": (rgb.convert("1"), {}),
        "alpha.png": (rgb.convert("RGBA"), {}),
        "base.jpg": (rgb, {"exif": exif}),
        "progressive.jpg": (rgb, {"progressive": True}),
        "cmyk.jpg": (rgb.convert("CMYK"), {}),
        "lossy.webp": (rgb, {"exif": exif}),
        "lossless.webp": (rgb, {"lossless": True}),
        "rgb.bmp": (rgb, {}),
        "grey.bmp": (rgb.convert("L"), {}),
        "pages.tif": (rgb, {"save_all": True, "append_images": [rgb.rotate(90)]}),
    }
    for name, (picture, options) in pillow.items():
        target = io.BytesIO()
        picture.save(
            target, {"jpg": "JPEG", "tif": "TIFF"}.get(name[-3:], name.rpartition(".")[2].upper()), **options
        )
        found[name] = target.getvalue()
    return found | _rasters()


def _rasters() -> dict[str, bytes]:
    place = {"crs": "EPSG:32638", "transform": rasterio.transform.from_origin(500_000, 4_500_000, 0.5, 0.5)}
    tiled = {"tiled": True, "blockxsize": 32, "blockysize": 32}
    made: dict[str, tuple[str, str, dict[str, Any]]] = {
        "plain.tif": ("GTiff", "uint8", place),
        "deflate.tif": ("GTiff", "uint16", place | tiled | {"compress": "deflate", "predictor": 2}),
        "lzw.tif": ("GTiff", "uint8", tiled | {"compress": "lzw", "nodata": 0}),
        "zstd.tif": ("GTiff", "float32", place | {"compress": "zstd"}),
        "jpeg.tif": ("GTiff", "uint8", tiled | {"compress": "jpeg", "photometric": "ycbcr"}),
        "big.tif": ("GTiff", "int16", place | {"BIGTIFF": "YES", "interleave": "band"}),
        "pinned.tif": ("GTiff", "uint8", {"crs": "EPSG:32638", "gcps": _pins()}),
        "half.tif": ("GTiff", "float32", place | {"nbits": 16, "compress": "lzw"}),
        "cog.tif": ("COG", "uint8", place),
        "a.jp2": ("JP2OpenJPEG", "uint8", place | {"quality": 100, "reversible": True}),
    }
    found = {}
    pixels = np.moveaxis(textured(), -1, 0)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, (driver, kind, options) in made.items():
            shape = {"count": 3, "height": 96, "width": 112, "dtype": kind}
            with rasterio.open(Path(folder, name), "w", driver=driver, **shape, **options) as out:
                out.write(pixels.astype(kind))
            found[name] = Path(folder, name).read_bytes()
    return found


def _pins() -> list[Any]:
    """Ground control points at the corners and in the middle."""
    at = ((0, 0), (0, 112), (96, 0), (96, 112), (48, 56))
    return [rasterio.control.GroundControlPoint(r, c, 5e5 + c / 2, 4.5e6 - r / 2) for r, c in at]


def mutated(whole: bytes, other: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """What was done, and the broken file."""
    content = bytearray(whole)
    done = []
    for _ in range(int(rng.integers(1, 4))):
        kind = str(rng.choice(["flip", "lie", "lie", "swap", "cut", "insert", "zero", "splice"]))
        done.append(kind)
        _mutate(content, kind, other, rng)
    return "+".join(done), bytes(content[:200_000])


def _place(content: bytearray, rng: np.random.Generator) -> int:
    """Anywhere, but half of the time near the beginning, where headers lie."""
    end = max(1, len(content))
    return int(rng.integers(0, min(end, 400) if rng.random() < 0.5 else end))


def _mutate(content: bytearray, kind: str, other: bytes, rng: np.random.Generator) -> None:
    at, size = _place(content, rng), int(rng.integers(1, 64))
    if kind == "flip":
        for place in [_place(content, rng) for _ in range(int(rng.integers(1, 9)))]:
            content[place : place + 1] = bytes([int(rng.integers(0, 256))])
    elif kind == "lie":
        code = str(rng.choice(["<H", ">H", "<I", ">I"]))
        value = int(rng.choice(EXTREMES)) & (0xFFFF if code[1] == "H" else 0xFFFFFFFF)
        lie = struct.pack(code, value)
        content[at : at + len(lie)] = lie
    elif kind == "swap":
        there = _place(content, rng)
        a, b = bytes(content[at : at + size]), bytes(content[there : there + size])
        content[at : at + len(b)], content[there : there + len(a)] = b, a
    elif kind == "cut":
        del content[at + 16 : at + 16 + (size if rng.random() < 0.7 else len(content))]
    elif kind == "insert":
        content[at:at] = rng.integers(0, 256, size).astype(np.uint8).tobytes()
    elif kind == "zero":
        content[at : at + 4 * size] = bytes(len(content[at : at + 4 * size]))
    else:
        start = int(rng.integers(0, len(other)))
        content[at : at + size] = other[start : start + size]


def case(number: int, seed: int, whole: dict[str, bytes]) -> tuple[str, str, bytes]:
    """(name of its seed file, what was done, content) of one case."""
    rng = np.random.default_rng([seed, number])
    names = sorted(whole)
    name, other = names[number % len(names)], names[int(rng.integers(0, len(names)))]
    done, content = mutated(whole[name], whole[other], rng)
    return name, done, content


def tried(arguments: list[str]) -> tuple[int | str, float]:
    """Exit code, or what went wrong, and seconds of processor time."""
    began = time.process_time()
    done = CliRunner().invoke(cli.main, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return f"traceback: {done.exception!r}"[:300], time.process_time() - began
    if any(f"its decoder {how}" in done.output for how in ("crashed", "was")):
        return "decoder ended: " + done.output.partition("its decoder ")[2][:30], time.process_time() - began
    if "its decoder took" in done.output and done.exit_code == 3:
        return ENDLESS, time.process_time() - began
    return done.exit_code, time.process_time() - began


def batch(numbers: range, seed: int, whole: dict[str, bytes], out: int) -> None:
    """Run some cases in this process, a line of JSON for each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in numbers:
            kind, done, content = case(number, seed, whole)
            path, good = folder / f"case.{kind.rpartition('.')[2]}", folder / "whole.tif"
            path.write_bytes(content)
            good.write_bytes(whole["plain.tif"])
            os.write(out, (json.dumps({"begun": number}) + "\n").encode())
            said = {"info": tried(["info", str(path)])}
            if said["info"][0] in (3, ENDLESS):
                said["info --accept-damaged"] = tried(["info", "--accept-damaged", str(path)])
            if said["info"][0] != 0 or number % COMPARED == 0:
                pair = [str(path), str(good)] if number % 2 else [str(good), str(path)]
                said["compare"] = tried(["compare", *pair, "-o", str(folder / "run"), "-q", "--overwrite"])
            changed = path.read_bytes() != content
            left = {entry.name for entry in folder.iterdir()} - {path.name, "whole.tif", "run"}
            line = {
                "number": number,
                "seed file": kind,
                "done": done,
                "said": said,
                "changed": changed,
                "left": sorted(left),
            }
            os.write(out, (json.dumps(line) + "\n").encode())
            path.unlink()
    decoding.end_all()


def forked(numbers: range, seed: int, whole: dict[str, bytes]) -> list[dict[str, Any]]:
    """Lines of one batch that ran in a fork of its own, with the case that ended it when one did."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reading)
            used = (
                int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
            )
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
            signal.alarm(WALL_SECONDS)
            batch(numbers, seed, whole, writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as lines:
        told = [json.loads(line) for line in lines]
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    found = [line for line in told if "number" in line]
    if status != 0:
        last = told[-1].get("begun", numbers[0]) if told else numbers[0]
        found.append(
            {"number": last, "seed file": "?", "done": "?", "said": {"process": (f"ended by {status}", 0.0)}}
        )
    return found


def wrong(line: dict[str, Any]) -> bool:
    """Whether a case broke a promise."""
    answers = line["said"].values()
    bad = any(code not in CODES or seconds > SECONDS for code, seconds in answers)
    return bad or bool(line.get("changed")) or bool(line.get("left"))


def main() -> int:
    """Run, print the summary as JSON; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    pipeline.cv2.setNumThreads(1)
    whole, until = seeds(), time.monotonic() + 60 * given.minutes
    lines: list[dict[str, Any]] = []
    last = given.first + given.cases
    for first in range(given.first, last, BATCH):
        if time.monotonic() > until:
            break
        lines += forked(range(first, min(first + BATCH, last)), given.seed, whole)
    answers = Counter(f"{command} {code}" for line in lines for command, (code, _) in line["said"].items())
    broken = [line for line in lines if wrong(line)]
    found = {
        "seed": given.seed,
        "cases": len(lines),
        "seed_files": len(whole),
        "answers": dict(sorted(answers.items())),
        "most_seconds": round(max((s for line in lines for _, s in line["said"].values()), default=0), 2),
        "broken_promises": broken[:50],
    }
    text = json.dumps(found, indent=2) + "\n"
    if given.out:
        given.out.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
