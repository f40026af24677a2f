"""Is every pair of different places refused, and how far apart is the evidence of right and wrong pairs?

python benchmarks/refusal.py --data DIR [--pairs 2000] [--workers 2] [--kinds KIND,...] [--out FILE.json]
    [--pictures DIR]

Wrong pairs, all as plain pixels without georeference:

- ``other place``: the before image of one folder and the after image of another, of similar size (sides
  differ less than twofold); a random subset of `--pairs`, half of them for ``turned`` and ``mirrored`` each
- ``turned``: the same, the after image turned by 90 degrees
- ``mirrored``: before and after of one place, the after image (or the before image itself) mirrored
- ``neighbour``: places side by side, of one sensor, day and style: quadrants of joplin_mosaic, xBD tiles of
  one event, halves of the upright pairs

``right`` pairs are there for comparison. The figures are the false accepts, each with its evidence, the
seconds of a refusal, and histograms of the evidence, from which the limits can be set.
"""

from __future__ import annotations

import argparse
import fnmatch
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import _pairs
import numpy as np

SEED = 20230206
KINDS = ("right", "other place", "turned", "mirrored", "neighbour")
MAY_OVERLAP = (
    {"xbd_joplin-tornado_00000002", "joplin_mosaic"},
    {"gaza_katib-wilaya-mosque", "gaza_al-katib-mosque"},  # 58 m apart
    {"gaza_ard-al-moharbeen-cemetery", "gaza_byzantine-church-jabaliya"},  # 33 m
    {"gaza_al-ghussein-house", "gaza_al-katib-mosque"},  # 250 m, known to about 100 m
)
"""Two folders that show partly the same ground: an accepted alignment of them is right."""
NEIGHBOURS = ("xbd_joplin-tornado_*", "xbd_mexico-earthquake_*", "xbd_hurricane-harvey_*")
UPRIGHT = ("xbd_*", "whu_*", "levir_test_13", "gaofen2021_*", "iran_*", "turkey2023_*", "unosat_bentjbail")
"""Pairs without a rotation, so that opposite halves share no ground."""
SCORE_EDGES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 48, 96, 1e9]


@dataclass(frozen=True)
class Job:
    """One pair to be asked about."""

    kind: str
    name: str
    before: Path
    after: Path
    picture: Path | None


def main() -> int:
    """Command line."""
    args = arguments()
    folders = _pairs.folders(args.data)
    if not _pairs.need_data(args.data, folders):
        return 2
    with tempfile.TemporaryDirectory() as name:
        jobs = list(plan(args, folders, Path(name)))
        counts = {kind: sum(job.kind == kind for job in jobs) for kind in KINDS}
        print(f"{len(jobs)} pairs: {counts}", flush=True)
        rows = list(run(jobs, args.workers))
    summary = summarise(rows)
    print_summary(summary)
    files = [_pairs.file_of(p, when) for p in folders for when in ("before", "after")]
    _pairs.write_json(args.out, {"summary": summary, "rows": rows, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument(
        "--pairs", type=int, default=2000, help="wrong pairs of places; turned and mirrored: half"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=list(KINDS))
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--pictures", type=Path, help="write checkerboards of false accepts into this folder")
    return parser.parse_args()


def plan(args: argparse.Namespace, folders: list[Path], temp: Path) -> Iterator[Job]:
    """All jobs of the kinds asked for; their pictures are made here."""
    rng = np.random.default_rng(SEED)
    plain = _pairs.plain_copies(folders, temp / "plain")
    makers = {
        "right": lambda: ((n, b, a) for n, (b, a) in plain.items()),
        "other place": lambda: others(plain, rng, args.pairs, lambda a: a),
        "turned": lambda: others(plain, rng, args.pairs // 2, lambda a: changed(a, turned)),
        "mirrored": lambda: take(mirrored_pairs(plain), rng, args.pairs // 2),
        "neighbour": lambda: neighbours(args.data, plain, temp / "neighbours"),
    }
    for kind in KINDS:
        if kind not in args.kinds:
            continue
        for name, before, after in makers[kind]():
            picture = None
            if args.pictures is not None and kind != "right":
                picture = args.pictures / (f"{kind} {name}".replace(" ", "_").replace("/", "-") + ".png")
            yield Job(kind, name, before, after, picture)


def take(items: Iterable[Any], rng: np.random.Generator, most: int) -> list[Any]:
    """A random subset, in its order."""
    every = list(items)
    keep = np.sort(rng.permutation(len(every))[:most])
    return [every[k] for k in keep]


def others(plain: dict[str, tuple[Path, Path]], rng: np.random.Generator, most: int, change: Any) -> Any:
    """(name, before, after) of different places."""
    size = {path: _pairs.pixels(path)[1].shape for pair in plain.values() for path in pair}
    every = [
        (first, second)
        for first, second in permutations(plain, 2)
        if {first, second} not in MAY_OVERLAP and alike(size[plain[first][0]], size[plain[second][1]])
    ]
    for first, second in take(every, rng, most):
        yield f"{first} v {second}", plain[first][0], change(plain[second][1])


def alike(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    """Whether two pictures differ less than twofold in each side."""
    ratio = np.array(first) / np.array(second)
    return bool(np.maximum(ratio, 1 / ratio).max() < 2)


def mirrored_pairs(plain: dict[str, tuple[Path, Path]]) -> Iterator[tuple[str, Path, Path]]:
    """Each before image against its after image mirrored, and against itself mirrored."""
    for name, (before, after) in plain.items():
        yield f"{name} v its after mirrored", before, changed(after, mirrored)
        yield f"{name} v itself mirrored", before, changed(before, mirrored)


def turned(data: np.ndarray) -> np.ndarray:
    """A quarter turn."""
    return np.rot90(data)


def mirrored(data: np.ndarray) -> np.ndarray:
    """Left and right exchanged."""
    return data[:, ::-1]


def changed(path: Path, how: Any) -> Path:
    """A changed copy beside the picture, made once."""
    copy = path.with_name(f"{path.stem}_{how.__name__}.png")
    if not copy.exists():
        data, valid = _pairs.pixels(path)
        _pairs.write_png(copy, np.ascontiguousarray(how(data)), np.ascontiguousarray(how(valid)))
    return copy


def neighbours(
    data: Path, plain: dict[str, tuple[Path, Path]], temp: Path
) -> Iterator[tuple[str, Path, Path]]:
    """Places side by side."""
    for pattern in NEIGHBOURS:
        for first, second in permutations(fnmatch.filter(plain, pattern), 2):
            yield f"{first} v {second}", plain[first][0], plain[second][1]
    parts = quarters(data / "joplin_mosaic", temp) if (data / "joplin_mosaic").is_dir() else {}
    for first, second in permutations(parts, 2):
        yield f"joplin_mosaic {first} v {second}", parts[first][0], parts[second][1]
    for name in plain:
        if any(fnmatch.fnmatch(name, pattern) for pattern in UPRIGHT):
            yield from halves(name, plain[name], temp)


def halves(name: str, pair: tuple[Path, Path], temp: Path) -> Iterator[tuple[str, Path, Path]]:
    """Left before against right after and so on, a little apart so that a shift between both cannot help."""
    pictures = [_pairs.pixels(path) for path in pair]
    rows, cols = (min(p[1].shape[k] for p in pictures) for k in (0, 1))
    top, left = int(rows * 0.47), int(cols * 0.47)
    part = {
        "left": np.s_[:, :left],
        "right": np.s_[:, cols - left : cols],
        "top": np.s_[:top],
        "bottom": np.s_[rows - top : rows],
    }
    for first, second in (("left", "right"), ("right", "left"), ("top", "bottom"), ("bottom", "top")):
        both = [
            _pairs.write_png(temp / name / f"{k}_{side}.png", p[0][part[side]], p[1][part[side]])
            for k, (p, side) in enumerate(zip(pictures, (first, second), strict=True))
        ]
        yield f"{name} {first} v {second}", both[0], both[1]


def quarters(pair: Path, temp: Path) -> dict[str, tuple[Path, Path]]:
    """The quarters of a georeferenced pair in which both are seen, cut on one grid."""
    found = {}
    before, after = (_pairs.file_of(pair, when) for when in ("before", "after"))
    with _pairs.opened(before, after, _pairs.ONE_CORE) as scene:
        rows, cols = scene.pair.grid.shape
        for k in range(4):
            window = _pairs.types.Window(k // 2 * (rows // 2), k % 2 * (cols // 2), rows // 2, cols // 2)
            read = [feed.read(window) for feed in (scene.before, scene.after)]
            if min(valid.mean() for _, valid in read) < 0.5:
                continue
            paths = [
                _pairs.write_png(temp / pair.name / f"{k}_{when}.png", as_bytes(data), valid)
                for when, (data, valid) in zip(("before", "after"), read, strict=True)
            ]
            found[("north-west", "north-east", "south-west", "south-east")[k]] = (paths[0], paths[1])
    return found


def as_bytes(bands: np.ndarray) -> np.ndarray:
    """(rows, cols, 3) bytes of the first three bands."""
    return np.ascontiguousarray(np.clip(np.round(bands[:3]), 0, 255).astype(np.uint8).transpose(1, 2, 0))


def run(jobs: list[Job], workers: int) -> Iterator[dict[str, Any]]:
    """Answers in the order of the jobs; false accepts are printed as they come."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done, row in enumerate(pool.imap(ask, jobs), 1):
            if row["accepted"] and row["kind"] != "right":
                print("FALSE ACCEPT " + line(row), flush=True)
            if done % 100 == 0:
                print(f"{done} of {len(jobs)}", flush=True)
            yield row


def ask(job: Job) -> dict[str, Any]:
    """Align one wrong pair, and what the answer rests on."""
    found = _pairs.align(job.before, job.after, picture=job.picture)
    return {
        "kind": job.kind,
        "name": job.name,
        "accepted": found.accepted,
        "reason": found.reason,
        "seconds": found.seconds,
        **found.evidence(),
    }


def line(row: dict[str, Any]) -> str:
    """One pair as a line."""
    return (
        f"{row['kind']}: {row['name']}: score {row['score']:.1f} (limit {row['limit']:.0f}), "
        f"chance 10^{row['log10_chance']:.1f}, stack {row['stack_peak_sd']:.1f} sd, "
        f"rival {row['rival']:.2f}, coverage {row['coverage']:.2f}, "
        f"{row['agreeing']} of {row['windows']} windows"
    )


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts, seconds and histograms, by kind and over all that are wrong."""
    kinds = {kind: [r for r in rows if r["kind"] == kind] for kind in KINDS}
    kinds["all wrong"] = [r for r in rows if r["kind"] != "right"]
    wrong = kinds["all wrong"]
    return {
        "kinds": {kind: figures(these) for kind, these in kinds.items() if these},
        "false_accepts": [r for r in wrong if r["accepted"]],
        "nearest_to_acceptance": sorted(wrong, key=over_limit)[-8:][::-1],
        "right_above_highest_wrong": separated(kinds["right"], wrong),
    }


def over_limit(row: dict[str, Any]) -> float:
    """How far above the limit its score lies."""
    return row.get("score", -1e3) - row.get("limit", 0.0)


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts, times and scores over pairs of one kind."""
    known = [r for r in rows if "score" in r]
    refused = [r["seconds"] for r in rows if not r["accepted"]]
    return {
        "pairs": len(rows),
        "accepted": sum(r["accepted"] for r in rows),
        "not_readable": len(rows) - len(known),
        "seconds_refused": _pairs.spread(refused),
        "score": _pairs.spread([r["score"] for r in known]),
        "coverage": _pairs.spread([r["coverage"] for r in known]),
        "rival": _pairs.spread([r["rival"] for r in known]),
        "score_histogram": np.histogram([r["score"] for r in known], SCORE_EDGES)[0].tolist(),
    }


def separated(right: list[dict[str, Any]], wrong: list[dict[str, Any]]) -> dict[str, Any]:
    """How many right pairs lie above the highest wrong one, for each measure taken alone."""
    signs = {"score": 1, "log10_chance": -1, "stack_peak_sd": 1, "coverage": 1, "agreeing": 1}
    if not right or not wrong:
        return {}
    found = {}
    for key, sign in signs.items():
        limit = max(sign * r[key] for r in wrong if key in r)
        found[key] = {
            "highest_wrong": sign * limit,
            "right_above": sum(sign * r.get(key, 0) > limit for r in right),
        }
    return found


def print_summary(summary: dict[str, Any]) -> None:
    """Kinds, a histogram of scores, and what came nearest to acceptance."""
    print("\nkind          pairs accepted  s refused: median/p90/max  score: median/p90/max")
    for kind, f in summary["kinds"].items():
        seconds, score = ("/".join(f"{v:.1f}" for v in f[k].values()) for k in ("seconds_refused", "score"))
        print(f"{kind:13s} {f['pairs']:5d} {f['accepted']:8d}  {seconds:24s}  {score}")
    print("\nscore " + " ".join(f"{'>' if e > 1e8 else f'<{e:g}':>5s}" for e in SCORE_EDGES[1:]))
    for kind, f in summary["kinds"].items():
        print(f"{kind[:5]:5s} " + " ".join(f"{n:5d}" for n in f["score_histogram"]))
    print(f"\nright pairs above the highest wrong one: {summary['right_above_highest_wrong']}")
    print("nearest to acceptance:")
    for row in summary["nearest_to_acceptance"]:
        print("  " + (line(row) if "score" in row else row["name"]))
    print(f"false accepts: {len(summary['false_accepts'])}")


if __name__ == "__main__":
    sys.exit(main())
