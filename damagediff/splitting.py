"""One picture that holds two: find its panels, show what was considered, cut them out.

`intake` proposes rectangles from the layout; here each proposal is put to the alignment on the reduced
picture, and the best one registered at full resolution. Only panels that align are taken: a wrong cut and two
places do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from . import (
    align,
    align_judge,
    cut,
    intake,
    intake_rest,
    json_text,
    pipeline,
    raster,
    registration,
    scene,
    sheet,
)
from .align_fields import Plane
from .cut import Layout, Order, Wish
from .errors import InputError
from .intake import Judged, Proposal
from .scene import Progress
from .settings import Settings
from .types import ByteArray, Case, Image, Source, Split, Window

FORMAT = 1
"""Version of split.json."""
MOST = 8
"""Proposals that are put to the alignment."""
ADVICE = "Give the panels with --panels x,y,w,h x,y,w,h"


@dataclass(frozen=True)
class Found:
    """What was found on one picture."""

    image: Image
    picture: ByteArray
    """(rows, cols, 3) the whole picture, reduced."""
    factor: int
    judged: tuple[Judged, ...]
    """Proposals with the alignment's word, in the order in which they were asked."""
    panels: tuple[Window, Window] | None
    """Before and after; None: refused."""
    split: Split | None
    refusal: str | None
    """Why, in one sentence; None when the panels were found."""


def find(source: Source, wish: Wish, settings: Settings, progress: Progress = scene.silent) -> Found:
    """Find the panels of a composite, or take those that are given.

    Raises
    ------
    InputError
        The picture cannot be used, or rectangles given do not lie on it or overlap. A picture on which no
        panels are found raises nothing here; see `Found.refusal`.
    """
    image = raster.inspect(source, settings.read)
    roles = raster.common_roles(image, image)[:3]
    with raster.Reader(image, roles) as reader:
        data, valid, factor = reader.read_reduced(intake.WORK_PX)
        look = _Look(reader, sheet.limits(data, valid, image.dtype))
        found = Found(image, sheet.as_rgb(data, look.limits), factor, (), None, None, None)
        if wish.panels is not None:
            return _with_others(_given(found, wish))
        progress("finding panels", 0.0)
        proposals = intake.propose(found.picture, factor, image.shape, look)
        found = replace(found, judged=_judged(proposals, found.picture, factor, settings, progress))
        best, why = _believed(found.judged)
        if best is not None:
            refused = refused_at_full_resolution(source, best.proposal.panels, settings)
            if refused is None:
                return _with_others(_chosen(found, best.proposal, wish.order))
            why = refused
        return replace(found, refusal=_refusal(found, why, look))


def _believed(judged: tuple[Judged, ...]) -> tuple[Judged | None, str]:
    """The proposal to register at full resolution: the one chosen, or one that only just fails so far."""
    best, why = intake.choose(judged)
    if best is None and not any(each.aligns for each in judged):
        best = max(judged, key=lambda each: each.score - each.limit, default=None)
        if best is not None and best.score < best.limit - align_judge.PROMISE:
            best = None
    return best, why


@dataclass(frozen=True)
class _Look:
    """Full-resolution pixels of a picture as 8-bit RGB."""

    reader: raster.Reader
    limits: tuple[float, float]

    def __call__(self, window: Window) -> ByteArray:
        return sheet.as_rgb(self.reader.read(window)[0], self.limits)


def _judged(
    proposals: Iterable[Proposal], picture: ByteArray, factor: int, settings: Settings, progress: Progress
) -> tuple[Judged, ...]:
    """Put proposals to the alignment; seams are not asked once panels between bars align."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    judged: list[Judged] = []
    for k, proposal in enumerate(list(proposals)[:MOST]):
        if proposal.seam_ratio is not None and any(
            each.aligns and each.proposal.seam_ratio is None for each in judged
        ):
            break
        planes = []
        for panel in proposal.panels:
            top, left = -(-panel.row // factor), -(-panel.col // factor)
            part = grey[top : (panel.row + panel.rows) // factor, left : (panel.col + panel.cols) // factor]
            planes.append(Plane(np.ascontiguousarray(part), np.ones(part.shape, bool)))
        coarse = align.find(planes[0], planes[1], settings.align, np.random.default_rng(settings.seed))
        evidence_ = coarse.evidence
        judged.append(Judged(proposal, evidence_.score, evidence_.limit))
        progress("finding panels", (k + 1) / MOST)
    return tuple(judged)


def refused_at_full_resolution(
    source: Source, panels: tuple[Window, Window], settings: Settings
) -> str | None:
    """Why the panels do not align as two files would; None when they do."""
    first, second = (replace(source, crop=panel) for panel in panels)
    with pipeline.open_scene(Case(first, second), settings) as opened:
        alignment, _ = registration.register(opened)
    return None if alignment.accepted else f"its two likeliest parts do not align: {alignment.reason}"


def _refusal(found: Found, why: str, look: _Look) -> str:
    """The reason in one sentence, with what kind of picture it looks like."""
    name = found.image.name
    if not found.judged:
        return f"{name}: no two panels found: no bar or seam cuts it in two. {ADVICE}"
    if any(each.aligns for each in found.judged):
        return f"{name}: {why}. {ADVICE}"
    if intake.slider(found.judged[0].proposal, look):
        return (
            f"{name}: looks like one scene behind a slider: its content runs on across the line, no ground "
            "is shown twice and nothing can be compared. Take two screenshots, the slider at either end"
        )
    return f"{name}: {why} (two places, or one scene behind a slider, cannot be compared). {ADVICE}"


def check_panels(image: Image, panels: tuple[Window, Window]) -> None:
    """Refuse rectangles of the user that are too small, lie outside the picture or overlap.

    Raises
    ------
    InputError
        With the rectangle.
    """
    rows, cols = image.shape
    for x, y, w, h in (cut.xywh(panel).values() for panel in panels):
        if min(w, h) < intake.LEAST_PX:
            raise InputError(
                f"{image.name}: --panels {x},{y},{w},{h} is too small, at least {intake.LEAST_PX} px a "
                "side are needed. Give a larger part"
            )
        if min(x, y) < 0 or x + w > cols or y + h > rows:
            raise InputError(
                f"{image.name}: --panels {x},{y},{w},{h} does not lie inside its {cols} x {rows} px. Give "
                "x,y,w,h of the picture as shown"
            )
    if intake.overlap(*panels):
        raise InputError(f"{image.name}: the two rectangles of --panels overlap: give parts that do not")


def in_order(panels: tuple[Window, Window], order: Order | None) -> tuple[Window, Window]:
    """Before and after, of rectangles in the order in which they were given."""
    return panels if (order or "before-first") == "before-first" else (panels[1], panels[0])


def _given(found: Found, wish: Wish) -> Found:
    """The rectangles of the user, checked."""
    assert wish.panels is not None
    check_panels(found.image, wish.panels)
    first, second = wish.panels
    apart_px = second.col - (first.col + first.cols), first.col - (second.col + second.cols)
    layout: Layout = "side by side" if max(apart_px) >= 0 else "one above the other"
    order = wish.order or "before-first"
    panels = in_order(wish.panels, order)
    doubt = (
        "The rectangles are as given on the command line; nothing was looked for.",
        _order_said(order, "given", layout),
    )
    split = Split(layout, "command line", order, "command line", None, doubt)
    return replace(found, panels=panels, split=split)


def _chosen(found: Found, proposal: Proposal, order: Order | None) -> Found:
    """The panels of the chosen proposal, in the order asked for."""
    forwards = (order or "before-first") == "before-first"
    panels, doubt_px = proposal.panels, proposal.doubt_px
    if not forwards:
        panels, doubt_px = panels[::-1], doubt_px[::-1]
    gap_px = proposal.gap_px
    touching = f"a plain bar of {gap_px} px between them" if gap_px > 0 else "they touch"
    touching = touching if proposal.seam_ratio is None else "they meet at a seam"
    doubt = (
        f"Two panels {proposal.layout}, {touching}; both show the same place, which the alignment tells.",
        f"An edge of the before panel may be off by {doubt_px[0]} px, of the after panel {doubt_px[1]} px.",
        _order_said(order, "found", proposal.layout),
    )
    split = Split(
        proposal.layout,
        "layout and alignment",
        order or "before-first",
        "assumed" if order is None else "command line",
        doubt_px,
        doubt,
    )
    return replace(found, panels=panels, split=split)


def _with_others(found: Found) -> Found:
    """With what else is on the page, told and not compared."""
    assert found.panels is not None and found.split is not None
    others = intake_rest.others(found.picture, found.factor, found.panels)
    told = intake_rest.words(others)
    doubt = (*found.split.doubt, *((told,) if told else ()))
    return replace(found, split=replace(found.split, doubt=doubt, others=others))


def _order_said(order: Order | None, how: str, layout: str) -> str:
    """Who says which panel is before."""
    if how == "given":
        which = "first" if order == "before-first" else "second"
        return f"The {which} rectangle given is before."
    first, second = ("left", "right") if layout == "side by side" else ("upper", "lower")
    if order is None:
        return (
            f"Order assumed: the {first} panel is before; nothing in the picture was read. "
            "If it is the other way round, give --order after-first."
        )
    return f"The {first if order == 'before-first' else second} panel is before, as the command line says."


def cut_case(case: Case, wish: Wish, settings: Settings, progress: Progress = scene.silent) -> Case:
    """A case whose two sources name one composite, with the panels found on it.

    Raises
    ------
    InputError
        The picture cannot be used, or no panels were found; with the reason.
    """
    found = find(case.before, wish, settings, progress)
    if found.panels is None:
        raise InputError(f"{found.refusal}; damagediff split draws what was considered")
    before, after = (
        replace(source, crop=panel)
        for source, panel in zip((case.before, case.after), found.panels, strict=True)
    )
    return replace(case, before=before, after=after, split=found.split)


def write(found: Found, folder: Path) -> dict[str, Any]:
    """Write before.png, after.png and split.json, or candidates.png and split.json when refused.

    The PNGs hold the pixels as decoded, without loss, as shown (after the EXIF turn).

    Returns
    -------
    The content of split.json.
    """
    content = facts(found)
    if found.panels is None:
        raster.write_png(folder / "candidates.png", np.moveaxis(_candidates(found), -1, 0))
    else:
        for name, panel in zip(("before.png", "after.png"), found.panels, strict=True):
            raster.write_png(folder / name, _pixels(found.image, panel))
    text = json_text.to_json(content)
    (folder / "split.json").write_text(text, encoding="utf-8", errors="replace", newline="\n")
    return content


def facts(found: Found) -> dict[str, Any]:
    """The content of split.json: rectangles in px as shown (x = column, y = row), layout, doubt, order."""
    image, split = found.image, found.split
    panels = None
    if found.panels is not None:
        panels = {r: cut.xywh(p) for r, p in zip(("before", "after"), found.panels, strict=True)}
    return {
        "format": FORMAT,
        "accepted": found.refusal is None,
        "refusal": found.refusal,
        "original": {
            "name": image.name,
            "sha256": image.sha256,
            "size_bytes": image.size_bytes,
            "rows": image.shape[0],
            "cols": image.shape[1],
            "exif_orientation": image.orientation,
        },
        "panels": panels,
        **({} if split is None else split.facts()),
        "candidates": [
            {
                "panels": [cut.xywh(panel) for panel in each.proposal.panels],
                "layout": each.proposal.layout,
                "seam_ratio": each.proposal.seam_ratio,
                "doubt_px": each.proposal.doubt_px,
                "evidence": each.score,
                "evidence_needed": each.limit,
            }
            for each in found.judged
        ],
    }


def _pixels(image: Image, panel: Window) -> np.ndarray[Any, Any]:
    """(bands, rows, cols) of one panel in the picture's own type, with alpha where something is not valid."""
    if image.dtype not in ("uint8", "uint16"):
        raise InputError(f"{image.name}: {image.dtype} pixels do not fit in a PNG. Save it with 8 or 16 bits")
    roles = raster.common_roles(image, image)[:3]
    with raster.Reader(image, roles) as reader:
        data, valid = reader.read(panel)
    data = data.round()
    if not valid.all():
        data = np.concatenate([data, np.where(valid, np.iinfo(image.dtype).max, 0)[None]])
    return data.astype(image.dtype)


def _candidates(found: Found) -> ByteArray:
    """The whole picture, small, with the rectangles of each proposal numbered in one colour."""
    marks = [
        (panel, str(k + 1), k)
        for k, each in enumerate(found.judged[: len(sheet.COLOURS)])
        for panel in each.proposal.panels
    ]
    return sheet.marked(found.picture, found.factor, marks)
