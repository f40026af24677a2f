"""Graphics laid over invented ground, with their truth: what the finder of graphics must find.

Characters of many alphabets, lines, arrows, boxes, circles, marks, logos, bars, tables, edges of screens; of
any colour and opacity, with sharp or smooth edges; then the whole is compressed or resized, or left as it is.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib
import numpy as np
from invented_ground import compressed
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
ALPHABETS = (
    (0x30, 0x3A),
    (0x41, 0x5B),
    (0x61, 0x7B),
    (0x61, 0x7B),
    (0x3B1, 0x3CA),
    (0x430, 0x450),
    (0x621, 0x64B),
    (0x5D0, 0x5EB),
    (0x21, 0x30),
)
FONTS = sorted(
    str(path)
    for path in (Path(matplotlib.get_data_path()) / "fonts" / "ttf").glob("DejaVu*.ttf")
    if "Display" not in path.name and "TeX" not in path.name
)
VISIBLE_GREY = 8


def hue(rng: Rng) -> tuple[int, int, int]:
    """White, black, a strong colour or any."""
    kind = rng.random()
    if kind < 0.3:
        return (255, 255, 255)
    if kind < 0.42:
        return (0, 0, 0)
    if kind < 0.75:
        strong = rng.choice([0, 255], 3) * rng.uniform(0.75, 1.0) + rng.uniform(0, 30)
        return tuple(int(v) for v in np.clip(strong, 0, 255))
    return tuple(int(v) for v in rng.integers(0, 256, 3))


def words(rng: Rng) -> str:
    """A few characters of one alphabet, with blanks and numbers between."""
    low, high = ALPHABETS[int(rng.integers(len(ALPHABETS)))]
    text = "".join(chr(int(rng.integers(low, high))) for _ in range(int(rng.integers(1, 22))))
    cut = int(rng.integers(0, len(text) + 1))
    return text[:cut] + " " + text[cut:] if rng.random() < 0.5 else text


def one(side: int, rng: Rng) -> Image.Image:
    """An RGBA layer with one graphic, or several of one kind."""
    scale = int(rng.choice([1, 3]))
    layer = Image.new("RGBA", (side * scale, side * scale), (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    kind = str(rng.choice(list(KINDS), p=WEIGHTS))
    KINDS[kind](draw, side * scale, scale, rng)
    if kind == "text" and rng.random() < 0.25:
        layer = layer.rotate(float(rng.uniform(-90, 90)), resample=Image.Resampling.BICUBIC)
    return (
        layer
        if scale == 1
        else layer.convert("RGBa").resize((side, side), Image.Resampling.BOX).convert("RGBA")
    )


def text(draw: ImageDraw.ImageDraw, side: int, scale: int, rng: Rng) -> None:
    """One or several lines of text, some with a halo, some on a plate."""
    size = int(np.exp(rng.uniform(np.log(9), np.log(60))) * scale)
    font = ImageFont.truetype(FONTS[int(rng.integers(len(FONTS)))], size)
    x, y, ink = rng.uniform(-0.1, 0.8) * side, rng.uniform(0, 0.95) * side, hue(rng)
    halo = {"stroke_width": max(1, size // 11), "stroke_fill": hue(rng)} if rng.random() < 0.35 else {}
    for _ in range(int(rng.integers(1, 4))):
        said = words(rng)
        if rng.random() < 0.12:
            draw.rectangle(
                [v + d for v, d in zip(draw.textbbox((x, y), said, font=font), (-4, -4, 4, 4), strict=True)],
                fill=hue(rng),
            )
        draw.text((x, y), said, fill=ink, font=font, **halo)
        y += 1.3 * size


def repeated(draw: ImageDraw.ImageDraw, side: int, scale: int, rng: Rng) -> None:
    """The same word over and over."""
    size = int(rng.uniform(10, 30) * scale)
    font, said, ink = ImageFont.truetype(FONTS[int(rng.integers(len(FONTS)))], size), words(rng)[:7], hue(rng)
    step = rng.uniform(1.3, 5, 2) * size
    for k, y in enumerate(np.arange(0, side, step[0])):
        for x in np.arange(-(k % 2) * step[1] / 2, side, step[1] + 0.6 * size * len(said)):
            draw.text((x, y), said, fill=ink, font=font)


def strokes(draw: ImageDraw.ImageDraw, side: int, scale: int, rng: Rng) -> None:
    """A line of one or several parts, or a grid of two lines."""
    wide = max(1, round(np.exp(rng.uniform(0, np.log(8))) * scale))
    if rng.random() < 0.25:
        at = rng.uniform(0, side, 2)
        draw.line([0, at[0], side, at[0] + rng.normal(0, 5)], fill=hue(rng), width=wide)
        draw.line([at[1], 0, at[1] + rng.normal(0, 5), side], fill=hue(rng), width=wide)
        return
    points = rng.uniform(-0.1, 1.1, (int(rng.integers(2, 7)), 2)) * side
    draw.line([tuple(p) for p in points], fill=hue(rng), width=wide, joint="curve")


def arrow(draw: ImageDraw.ImageDraw, side: int, scale: int, rng: Rng) -> None:
    """A shaft and a filled or open head."""
    tip, turn, long = rng.uniform(0.1, 0.9, 2) * side, rng.uniform(0, 2 * np.pi), rng.uniform(12, 110) * scale
    along = np.array([np.cos(turn), np.sin(turn)])
    across, head, wide = (
        np.array([-along[1], along[0]]),
        long * rng.uniform(0.15, 0.5),
        rng.uniform(1, 9) * scale,
    )
    ink, back = hue(rng), tip - along * head
    ends = [tuple(back + across * head * 0.6), tuple(tip), tuple(back - across * head * 0.6)]
    draw.line(
        [tuple(tip - along * long), tuple(back if rng.random() < 0.7 else tip)],
        fill=ink,
        width=max(1, int(wide)),
    )
    if rng.random() < 0.7:
        draw.polygon(ends, fill=ink, **({"outline": hue(rng)} if rng.random() < 0.2 else {}))
    else:
        draw.line(ends, fill=ink, width=max(1, int(wide)))


def outline(draw: ImageDraw.ImageDraw, side: int, scale: int, rng: Rng) -> None:
    """Boxes, ellipses or rounded boxes, as outlines, some filled."""
    wide = max(1, round(np.exp(rng.uniform(0, np.log(7))) * scale))
    for _ in range(int(rng.choice([1, 1, 1, 3]))):
        a, size = rng.uniform(-0.3, 0.9, 2) * side, np.exp(rng.uniform(np.log(10), np.log(200), 2)) * scale
        corners = [*a, *(a + (size if rng.random() < 0.6 else size[:1]))]
        fill = {"fill": hue(rng)} if rng.random() < 0.15 else {}
        shape = (draw.rectangle, draw.ellipse, draw.rounded_rectangle)[int(rng.integers(3))]
        more = (
            {"radius": 0.2 * min(corners[2] - corners[0], corners[3] - corners[1])}
            if shape == draw.rounded_rectangle
            else {}
        )
        shape(corners, outline=hue(rng), width=wide, **fill, **more)


def marks(draw: ImageDraw.ImageDraw, side: int, scale: int, rng: Rng) -> None:
    """Small squares, discs, triangles, crosses, stars or pins of one kind."""
    size, ink, kind = np.exp(rng.uniform(np.log(4), np.log(26))) * scale, hue(rng), int(rng.integers(5))
    edge = {"outline": hue(rng)} if rng.random() < 0.5 else {}
    for _ in range(int(rng.integers(1, 14))):
        x, y = rng.uniform(0, side, 2)
        if kind < 2:
            (draw.rectangle, draw.ellipse)[kind]([x, y, x + size, y + size], fill=ink, **edge)
            if rng.random() < 0.3:
                draw.ellipse(
                    [x + 0.35 * size, y + 0.35 * size, x + 0.65 * size, y + 0.65 * size], fill=hue(rng)
                )
        elif kind == 2:
            draw.polygon([(x, y), (x + size, y), (x + size / 2, y + size)], fill=ink, **edge)
        elif kind == 3:
            for a, b in (((x, y), (x + size, y + size)), ((x, y + size), (x + size, y))):
                draw.line([a, b], fill=ink, width=max(1, int(size / 6)))
        else:
            turns = np.arange(11) * np.pi / 5
            spikes = [
                (x + size * (0.5 if k % 2 else 1) * np.cos(t), y + size * (0.5 if k % 2 else 1) * np.sin(t))
                for k, t in enumerate(turns)
            ]
            draw.polygon(spikes, fill=ink, **edge)


def filled(draw: ImageDraw.ImageDraw, side: int, scale: int, rng: Rng) -> None:
    """A plate, disc or edge of a screen, often with text or shapes on it."""
    a, size = rng.uniform(-0.5, 0.9, 2) * side, np.exp(rng.uniform(np.log(14), np.log(260), 2)) * scale
    corners = [*a, *(a + size)]
    if rng.random() < 0.2:
        band = rng.uniform(0.05, 0.5) * side
        corners = [[0, 0, side, band], [0, side - band, side, side], [0, 0, band, side]][int(rng.integers(3))]
    (draw.rectangle if rng.random() < 0.75 else draw.ellipse)(corners, fill=hue(rng))
    if rng.random() < 0.75:
        low = max(9 * scale, int(min(0.7 * (corners[3] - corners[1]), 40 * scale)))
        font = ImageFont.truetype(
            FONTS[int(rng.integers(len(FONTS)))], int(rng.integers(min(9 * scale, low), low + 1))
        )
        draw.text(
            (corners[0] + 4 * scale, corners[1] + rng.uniform(0, 0.4) * (corners[3] - corners[1])),
            words(rng),
            fill=hue(rng),
            font=font,
        )


def bar(draw: ImageDraw.ImageDraw, side: int, scale: int, rng: Rng) -> None:
    """A scale bar with ends or blocks, and its length."""
    x, y, wide, ink = (
        rng.uniform(0, 0.6) * side,
        rng.uniform(0.1, 0.95) * side,
        rng.uniform(30, 140) * scale,
        hue(rng),
    )
    thick, high = max(1, int(rng.uniform(1, 4) * scale)), rng.uniform(3, 9) * scale
    if rng.random() < 0.5:
        draw.line([x, y, x + wide, y], fill=ink, width=thick)
        for at in np.linspace(x, x + wide, int(rng.integers(2, 6))):
            draw.line([at, y - high, at, y], fill=ink, width=thick)
    else:
        for k in range(4):
            draw.rectangle(
                [x + k * wide / 4, y, x + (k + 1) * wide / 4, y + high], fill=(ink, (0, 0, 0))[k % 2]
            )
    font = ImageFont.truetype(FONTS[int(rng.integers(len(FONTS)))], int(rng.uniform(9, 16) * scale))
    draw.text((x + wide / 3, y - 18 * scale), f"{int(rng.integers(1, 900))} m", fill=ink, font=font)


KINDS = {
    "text": text,
    "repeated": repeated,
    "strokes": strokes,
    "arrow": arrow,
    "outline": outline,
    "marks": marks,
    "filled": filled,
    "bar": bar,
}
WEIGHTS = np.array([0.32, 0.08, 0.12, 0.09, 0.13, 0.1, 0.1, 0.06])


def laid(picture: np.ndarray, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """(picture uint8, truth uint8: 0 ground, 1 opaque, 2 half-transparent, 255 unclear)."""
    plain, out = picture.astype(np.float32), picture.astype(np.float32)
    truth = np.zeros(picture.shape[:2], np.uint8)
    for _ in range(int(rng.choice([0, 1, 1, 2, 3]))):
        layer = np.asarray(one(len(picture), rng), np.float32)
        opacity = 1.0 if rng.random() < 0.5 else rng.uniform(0.25, 0.8)
        cover = layer[..., 3] / 255
        out = out + (layer[..., :3] - out) * (cover * opacity)[..., None]
        truth[cover > 0.03] = 255
        truth[cover >= 0.5] = 1 if opacity == 1.0 else 2
    unseen = np.abs(out - plain).max(-1) < VISIBLE_GREY
    truth[unseen & (truth > 0)] = 255
    return finished(np.clip(out, 0, 255), truth, rng)


def finished(out: np.ndarray, truth: np.ndarray, rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """The whole as it is passed on: resized, compressed, or as it is."""
    side = len(out)
    if rng.random() < 0.12:
        own = int(side / rng.uniform(0.75, 1.4))
        if own < side:
            out, truth = out[:own, :own], truth[:own, :own]
        shape = (side, side)
        how = cv2.INTER_AREA if own > side else int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
        out = np.clip(cv2.resize(out, shape, interpolation=how), 0, 255)
        truth = cv2.resize(truth, shape, interpolation=cv2.INTER_NEAREST)
    if rng.random() < 0.55:
        out = compressed(out, rng, 55)
    return np.rint(out).astype(np.uint8), truth
