"""Are earlier JPEG compression and resampling seen where they were, and only there?

python benchmarks/pixel_history.py --data DIR [--out FILE.json] [--crops N]

Pictures without JPEG history are made from real ones (all pairs in DIR): reduced by an uneven factor with
area means, which leaves no grid of blocks; and from invented textures. They are compressed, cut and
compressed again. Told are the shares in which `jpeg_history.earlier` speaks, names the right grid, and comes
within 3 of the right quality. Pictures of DIR as they are, as PNG, are enlarged; told are the shares in which
`pixel_grid.resampled` speaks and names the right enlargement, and those of all files as they are, JPEG too.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as PillowImage

from damagediff import jpeg_history, pixel_grid, synthetic, versions

Pixels = np.ndarray[Any, Any]
FACTORS = (1.31, 1.73, 2.21)
ONCE = (50, 60, 70, 75, 80, 85, 90, 93, 95, 97)
TWICE = ((60, 75), (70, 80), (75, 90), (85, 95), (90, 95), (75, 75), (80, 75), (90, 75), (95, 75))
TIMES = (1.2, 1.33, 1.5, 1.75, 2.0, 2.6, 3.3, 4.0)
WAYS = {"repeated": cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
OTHERS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("JPEG", {"quality": q}) for q in (30, 60, 85)),
    *(("WEBP", {"quality": q}) for q in (30, 60, 85)),
    *(("JPEG2000", {"quality_mode": "rates", "quality_layers": [rate]}) for rate in (20, 60)),
)
"""Compressions whose own blocks and steps must not be taken for an enlargement."""
CUT = (3, 5)


def main() -> int:
    """Run, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--crops", type=int, default=24, help="pictures without history")
    args = parser.parse_args()
    clean = without_history(args.data, args.crops)
    if not clean:
        print(f"{args.data}: no picture of 512 px and more. Point --data at the folder of pairs")
        return 2
    found = {"pictures": len(clean), "versions": versions.versions()}
    found |= {"compressed": compressed(clean), "resampled": enlarged(args.data)}
    if args.out:
        args.out.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return 0


def without_history(data: Path, count: int) -> list[Pixels]:
    """(rows, cols, 3) pictures of at most 512 px a side, real and invented."""
    pictures = []
    for k, path in enumerate(
        sorted(path for kind in ("png", "jpg") for path in data.glob(f"*/before.{kind}"))
    ):
        with PillowImage.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        factor = FACTORS[k % len(FACTORS)]
        small = cv2.resize(pixels, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
        if min(small.shape[:2]) >= 232:
            pictures.append(small[:512, :512])
    rng = np.random.default_rng(1)
    for _ in range(4):
        plane = synthetic.textured(rng, (480, 512))[..., None] * rng.uniform(0.6, 1, 3) + rng.normal(
            0, 2, (480, 512, 3)
        )
        pictures.append(np.clip(plane, 0, 255).astype(np.uint8))
    return pictures[-count:] if pictures else []


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Compressed by libjpeg with colours at half resolution, and decoded."""
    return encoded(pixels, "JPEG", quality=quality)


def encoded(pixels: Pixels, kind: str, **options: Any) -> Pixels:
    """Saved as such a file, and decoded."""
    target = io.BytesIO()
    PillowImage.fromarray(pixels).save(target, kind, **options)
    return np.asarray(PillowImage.open(io.BytesIO(target.getvalue())).convert("RGB"))


def grey(pixels: Pixels) -> Pixels:
    """Luma."""
    return np.asarray(pixels.astype(np.float32) @ np.float32([0.299, 0.587, 0.114]))


def compressed(clean: list[Pixels]) -> dict[str, Any]:
    """Shares by what was done to the pictures."""
    top, left = CUT
    cut_at = ((8 - left) % 8, (8 - top) % 8)
    table: dict[str, Any] = {}

    def add(name: str, make: Callable[[Pixels], Pixels], own: int | None, truth: tuple[Any, Any]) -> None:
        """Enter a treatment: how often an earlier JPEG is told, and told right."""
        steps = None if own is None else jpeg_history.standard(own)
        told = [jpeg_history.earlier(grey(make(pixels)), steps) for pixels in clean]
        seen = [each for each in told if each is not None]
        right = [each for each in seen if each.offset_xy == truth[0]]
        near = [e for e in right if e.quality is not None and abs(e.quality - (truth[1] or 999)) <= 3]
        wrong = [e for e in right if e.quality is not None and abs(e.quality - (truth[1] or 999)) > 3]
        table[name] = {
            "spoke": len(seen) / len(told),
            "right_grid": len(right) / len(told),
            "right_quality": len(near) / len(told),
            "wrong_quality": len(wrong) / len(told),
            "highest": max((each.evidence for each in seen), default=0.0),
        }
        print(name, {k: round(v, 2) for k, v in table[name].items()}, flush=True)

    add("never", lambda p: p, None, (None, None))
    for quality in ONCE:
        add(f"once at {quality}, as JPEG", lambda p, q=quality: jpeg(p, q), quality, (None, None))
        add(f"{quality}, cut, as PNG", lambda p, q=quality: jpeg(p, q)[top:, left:], None, (cut_at, quality))
    for first, second in TWICE:
        again = f"{first}, then {second}"
        add(again, lambda p, a=first, b=second: jpeg(jpeg(p, a), b), second, ((0, 0), first))
        add(
            f"{again}, cut between",
            lambda p, a=first, b=second: jpeg(jpeg(p, a)[top:, left:], b),
            second,
            (cut_at, first),
        )
    return table


def as_given(data: Path) -> dict[str, Pixels]:
    """The middle of every before picture, at most 1,024 px a side."""
    pictures = {}
    for path in sorted(path for kind in ("png", "jpg") for path in data.glob(f"*/before.{kind}")):
        with PillowImage.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        top, left = (max(0, (side - 1024) // 2) // 8 * 8 for side in pixels.shape[:2])
        if min(pixels.shape[:2]) >= 300:
            pictures[f"{path.parent.name}/{path.name}"] = pixels[top : top + 1024, left : left + 1024]
    return pictures


def enlarged(data: Path) -> dict[str, Any]:
    """Shares by enlargement of those pictures that show none, and the names of those that do."""
    given = as_given(data)
    told = {name: pixel_grid.resampled(grey(pixels)) for name, pixels in given.items()}
    shows = {name: each.period_px for name, each in told.items() if each is not None}
    print(f"of {len(given)} as given, {len(shows)} speak: {shows}", flush=True)
    plain = [p[:512, :512] for name, p in given.items() if name not in shows and name.endswith("png")]
    table: dict[str, Any] = {"as given": {"pictures": len(given), "spoke": shows}}
    for kind, options in OTHERS:
        spoke = sum(
            pixel_grid.resampled(grey(encoded(pixels, kind, **options))) is not None for pixels in plain
        )
        table[f"not enlarged, {kind} {options}"] = {"spoke": spoke / len(plain)}
        print(f"not enlarged, {kind} {options}: {spoke} of {len(plain)} speak", flush=True)
    for times in TIMES:
        for name, way in WAYS.items():
            for quality in (None, 85):
                key = f"{times:g} times, {name}" + ("" if quality is None else f", JPEG {quality}")
                table[key] = _enlarged(plain, (times, way), quality)
                print(key, {k: round(v, 2) for k, v in table[key].items()}, flush=True)
    return table


def _enlarged(plain: list[Pixels], how: tuple[float, int], quality: int | None) -> dict[str, float]:
    """Share of enlarged pictures in which a grid was told, and the right one."""
    seen = []
    for pixels in plain:
        large = cv2.resize(pixels, None, fx=how[0], fy=how[0], interpolation=how[1])[:1024, :1024]
        seen.append(pixel_grid.resampled(grey(large if quality is None else jpeg(large, quality))))
    spoke = [each for each in seen if each is not None]
    right = [each for each in spoke if min(abs(v / how[0] - 1) for v in each.enlarged) < 0.03]
    return {"spoke": len(spoke) / len(seen), "right": len(right) / len(seen)}


if __name__ == "__main__":
    sys.exit(main())
