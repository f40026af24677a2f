"""Are graphics found that were drawn over a picture, and is a clean picture left alone?

python benchmarks/overlays.py --data DIR [--scenes 40] [--seed 41] [--out FILE.json]

- ``found``: over real pairs the benchmark draws captions, arrows, boxes, circles, markers, lines, logos,
  scale bars, panels, and half-transparent watermarks, logos and panels (`_graphics`), in one picture or in
  both at the same pixels, as PNG or as JPEG of quality 60 to 95; share of the pixels that they cover, and
  change by at least 8 grey levels, that is left out
- ``clean``: share of the real pictures, which carry no graphics, that is left out
- ``accept``: of all pairs of plain pictures, which are accepted with the search for graphics on and off, and
  which only with it or only without it
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import _graphics
import _pairs
import numpy as np
from PIL import Image

from damagediff import settings

OWN_GRAPHICS = ("ge_", "turkey2023_", "unosat_", "sar_", "iran_")
LARGEST_PX = 1100
SETTINGS = settings.Settings(workers=1)


def main() -> int:
    """Run, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--scenes", type=int, default=40, help="pairs to draw over")
    parser.add_argument("--seed", type=int, default=41)
    parser.add_argument("--skip", nargs="*", default=[], choices=["found", "clean", "accept"])
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args()
    hosts = [p for p in sorted(args.data.glob("*")) if usable(p)] if args.data.is_dir() else []
    if not _pairs.need_data(args.data, hosts):
        return 2
    rng, figures = np.random.default_rng(args.seed), {}
    if "found" not in args.skip:
        figures["found"] = found(hosts, args.scenes, rng)
    if "clean" not in args.skip:
        figures["clean"] = clean(hosts)
    if "accept" not in args.skip:
        figures["accept"] = accept(_pairs.folders(args.data))
    for name, part in figures.items():
        print(name, json.dumps(part))
    files = [_pairs.file_of(host, when) for host in hosts for when in ("before", "after")]
    _pairs.write_json(args.out, {**figures, "seed": args.seed, **_pairs.about(files)})
    return 0


def usable(folder: Path) -> bool:
    """Whether a pair is two plain pictures of a size to draw on, without graphics of their own."""
    if not folder.is_dir() or folder.name.startswith(OWN_GRAPHICS) or folder.name in _pairs.GEOREFERENCED:
        return False
    with Image.open(_pairs.file_of(folder, "before")) as picture:
        return max(picture.size) <= LARGEST_PX


def pixels(path: Path) -> np.ndarray:
    """(rows, cols, 3) uint8."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def left_out(before: Path, after: Path) -> list[np.ndarray]:
    """(rows, cols) of each file: what the tool takes for drawn over."""
    out = []
    with _pairs.opened(before, after, SETTINGS) as scene:
        for feed in (scene.before, scene.after):
            drawn = np.zeros(feed.image.shape, bool) if feed.marks is None else feed.marks.copy()
            if feed.reduced.drawn is not None:
                blocks = feed.reduced.drawn.repeat(feed.reduced.factor, 0).repeat(feed.reduced.factor, 1)
                drawn |= blocks[: drawn.shape[0], : drawn.shape[1]]
            out.append(drawn)
    return out


def found(hosts: list[Path], scenes: int, rng: np.random.Generator) -> dict[str, Any]:
    """Recall of pixels, by kind and by opacity."""
    rows = defaultdict(list)
    kinds = [*_graphics.OPAQUE, *_graphics.HALF]
    with tempfile.TemporaryDirectory() as name:
        for _ in range(scenes):
            host = hosts[int(rng.integers(len(hosts)))]
            plain = [pixels(_pairs.file_of(host, when)) for when in ("before", "after")]
            modes = ["before", "after"] + ["both"] * (plain[0].shape == plain[1].shape)
            mode = modes[int(rng.integers(len(modes)))]
            on = [mode in ("before", "both"), mode in ("after", "both")]
            shape = plain[on.index(True)].shape[:2]
            taken, drawn = np.zeros(shape, bool), []
            for kind in rng.permutation(kinds)[:6]:
                box = _graphics.place(taken, kind, rng)
                if box is not None:
                    drawn.append(_graphics.draw(kind, shape, box, rng))
            quality = int(rng.integers(60, 96)) if rng.random() < 0.6 else None
            files = [
                write(Path(name) / when, _graphics.laid(p, drawn) if has else p, quality)
                for when, p, has in zip(("before", "after"), plain, on, strict=True)
            ]
            masks = left_out(*files)
            for picture, has, mask in zip(plain, on, masks, strict=True):
                for one in drawn if has else []:
                    seen = _graphics.visible(picture, one)
                    if seen.any():
                        rows[one.kind, mode == "both"].append((int((mask & seen).sum()), int(seen.sum())))
    return recall(rows)


def write(path: Path, picture: np.ndarray, quality: int | None) -> Path:
    """As PNG, or as JPEG of some quality."""
    path = path.with_suffix(".png" if quality is None else ".jpg")
    Image.fromarray(picture).save(path, **({} if quality is None else {"quality": quality}))
    return path


def recall(rows: dict[tuple[str, bool], list[tuple[int, int]]]) -> dict[str, Any]:
    """Mean over graphics of the share of their pixels that is left out."""
    out: dict[str, Any] = {}
    for both in (False, True):
        part = {kind: each for (kind, where), each in rows.items() if where == both}
        shares = {kind: [hit / all_ for hit, all_ in each] for kind, each in part.items()}
        groups = {"opaque": _graphics.OPAQUE, "half-transparent": _graphics.HALF}
        summary = {
            name: [round(float(np.mean(s)), 3), len(s)]
            for name, members in groups.items()
            if (s := [share for kind in members for share in shares.get(kind, [])])
        }
        by_kind = {kind: [round(float(np.mean(s)), 3), len(s)] for kind, s in sorted(shares.items())}
        out["in both" if both else "in one"] = {**summary, "kinds": by_kind}
    return out


def clean(hosts: list[Path]) -> dict[str, Any]:
    """Share of each clean picture that is left out."""
    each = {}
    for host in hosts:
        masks = left_out(_pairs.file_of(host, "before"), _pairs.file_of(host, "after"))
        each[host.name] = [round(float(mask.mean()), 4) for mask in masks]
    values = np.array(list(each.values()))
    return {
        "mean": round(float(values.mean()), 4),
        "median": round(float(np.median(values)), 4),
        "pictures over .02": int((values > 0.02).sum()),
        "pictures": int(values.size),
        "each": each,
    }


def accept(folders: list[Path]) -> dict[str, Any]:
    """Alignment alone, with and without what is drawn over taken as not valid."""
    without = replace(SETTINGS, masks=settings.MaskSettings(graphics=False))
    each = {}
    for folder in folders:
        if folder.name in _pairs.GEOREFERENCED or folder.name.startswith("sar_"):
            continue
        files = [_pairs.file_of(folder, when) for when in ("before", "after")]
        both = [_pairs.align(files[0], files[1], options) for options in (SETTINGS, without)]
        scores = [round(found.evidence().get("score", float("nan")), 1) for found in both]
        each[folder.name] = [found.accepted for found in both] + scores
    with_it, without_it = ({name for name, row in each.items() if row[k]} for k in (0, 1))
    return {
        "pairs": len(each),
        "accepted with": len(with_it),
        "accepted without": len(without_it),
        "only with": sorted(with_it - without_it),
        "only without": sorted(without_it - with_it),
        "each": each,
    }


if __name__ == "__main__":
    sys.exit(main())
