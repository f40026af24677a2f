"""Tables of what vs_peers.py measured, as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import _peers
import numpy as np

GOALS = (
    ("AROSICS local 256", "moved", _peers.ALIGN, "moved", 4096, 10.0),
    ("AROSICS local 256", "moved", _peers.COMPARE, "moved", 4096, 6.0),
    (_peers.MAD, "still", _peers.DIFFERENCE, "still", 16384, 4.0),
    (_peers.MAD, "still", _peers.COMPARE, "still", 16384, 4.0),
)
"""Whom, on which pair, with which of ours on which pair, at which size, at least how many times as fast."""
SPENT = ("wall_s", "cpu_s", "peak_mib")


def all_of(found: dict[str, Any]) -> str:
    """Cost, answers, goals, what is missing."""
    parts = [cost(found), "", answers(found), "", ratios(found)]
    parts += [f"Missing: {peer}: {why}" for peer, why in found.get("missing", {}).items()]
    return "\n".join(parts)


def medians(found: dict[str, Any]) -> dict[tuple[str, str, int], dict[str, Any]]:
    """By peer, pair and size: medians of what its runs took, or why none ended well."""
    runs: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for run in found["runs"]:
        runs.setdefault((run["peer"], run["pair"], run["size_px"]), []).append(run)
    table: dict[tuple[str, str, int], dict[str, Any]] = {}
    for key, own in sorted(runs.items(), key=lambda item: (item[0][2], item[0][1], order(item[0][0]))):
        good = [run for run in own if "failed" not in run]
        table[key] = {"runs": len(good)}
        if good:
            table[key] |= {kind: float(np.median([run[kind] for run in good])) for kind in SPENT}
        else:
            table[key]["failed"] = own[0]["failed"]
    return table


def order(peer: str) -> int:
    """Place of a peer in a table: as in `LACKS`."""
    return next((k for k, name in enumerate(_peers.LACKS) if peer.startswith(name)), len(_peers.LACKS))


def cost(found: dict[str, Any]) -> str:
    """Wall clock, processor time and memory."""
    lines = [
        "| px a side | pair | program | wall s | cpu s | peak MiB | runs |",
        "|---|---|---|---|---|---|---|",
    ]
    for (peer, pair, size), own in medians(found).items():
        said = " | ".join(
            number(own.get(kind), form) for kind, form in zip(SPENT, (".3g", ".3g", ".0f"), strict=True)
        )
        last = str(own["runs"]) if "failed" not in own else "failed"
        lines.append(f"| {size:,} | {pair} | {peer} | {said} | {last} |")
    return "\n".join(lines)


def answers(found: dict[str, Any]) -> str:
    """Errors of alignment, and what scores and masks tell."""
    columns: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
        ("error px: mean / 95 % / largest", error),
        ("AUC", lambda r: number(r.get("auc"), ".3f")),
        ("found at 1 % false", lambda r: number(r.get("found_at_1_percent_false"), ".0%")),
        ("its mask: of changed, of unchanged", mask),
    )
    lines = ["| px a side | pair | program | " + " | ".join(name for name, _ in columns) + " |"]
    lines.append("|" + "---|" * (3 + len(columns)))
    for r in sorted(found["results"], key=lambda r: (r["size_px"], r["pair"], order(r["peer"]))):
        said = " | ".join(column(r) for _, column in columns)
        lines.append(f"| {r['size_px']:,} | {r['pair']} | {r['peer']} | {said} |")
    return "\n".join(lines)


def error(result: dict[str, Any]) -> str:
    """End-point errors in one cell."""
    if result.get("mean_px") is None:
        return ""
    return " / ".join(f"{result[key]:.2f}" for key in ("mean_px", "p95_px", "max_px"))


def mask(result: dict[str, Any]) -> str:
    """Shares that a program marked itself."""
    if "marked_changed" not in result:
        return ""
    return f"{result['marked_changed']:.0%}, {result['marked_unchanged']:.1%}"


def number(value: float | None, form: str) -> str:
    """A cell, empty where nothing is known."""
    return "" if value is None else f"{value:{form}}"


def ratios(found: dict[str, Any]) -> str:
    """Each goal, and the same comparison at the other sizes that were run."""
    table, lines = medians(found), []
    for theirs, their_pair, ours, our_pair, at, goal in GOALS:
        for size in sizes(table):
            both = table.get((theirs, their_pair, size), {}), table.get((ours, our_pair, size), {})
            if any("wall_s" not in one for one in both):
                continue
            wall, cpu = (both[0][kind] / both[1][kind] for kind in ("wall_s", "cpu_s"))
            reached = "" if size != at else f"; goal {goal:g}: {'reached' if wall >= goal else 'missed'}"
            lines.append(
                f"- {ours} against {theirs}, {size:,} px: {wall:.2g} times as fast by wall clock, "
                f"{cpu:.2g} by processor time{reached}"
            )
    return "\n".join([*lines, *finding_alone(found)])


def finding_alone(found: dict[str, Any]) -> list[str]:
    """AROSICS local against ours where nothing is written and imports do not count, decoders neither."""
    own = {r["size_px"]: r for r in found["results"] if r["peer"] == _peers.ALIGN and "wall_s" in r}
    lines = []
    for r in found["results"]:
        if "AROSICS local" in r["peer"] and "wall_s" in r and r["size_px"] in own:
            wall, cpu = (r[kind] / own[r["size_px"]][kind] for kind in ("wall_s", "cpu_s"))
            lines.append(
                f"- finding the alignment alone, against {r['peer']}, {r['size_px']:,} px, one run: "
                f"{wall:.2g} times as fast by wall clock, {cpu:.2g} by processor time"
            )
    return lines


def sizes(table: Iterable[tuple[str, str, int]]) -> list[int]:
    """Those in a table, smallest first."""
    return sorted({size for _, _, size in table})
