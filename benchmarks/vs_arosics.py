"""Is our registration faster and more accurate than AROSICS, on one pair, with as many tie points?

python benchmarks/vs_arosics.py --data DIR [--size 4096] [--repeats 3] [--env DIR] [--out FILE.json]

One simulated pair: a quilt of real texture from DIR; the after image is moved by a known shift, rotation,
scale, shear and smooth residual, and changed in light, noise, JPEG and 2 % of its area. AROSICS [1]_ (local
with each window size, and global) and our registration run in turn, each in a process of its own, `repeats`
times; medians are compared. Every side only finds the alignment (open, read, match, fit); nobody writes a
corrected image on the clock. The error is measured on a lattice over the overlap: ours as the model says,
AROSICS's by running its own correction, off the clock, on a picture that holds coordinates. AROSICS gets the
green band (nearest to luminance), the largest displacement there is as its search range, and a grid with
about as many points as we look up (it begins on the border); everything else is its default. Memory is that
of the largest process of each side: AROSICS's workers are processes, ours are threads.

AROSICS is installed on the first run into an environment of its own (--env), with Debian's GDAL.

.. [1] Scheffler et al., "AROSICS: An Automated and Robust Open-Source Image Co-Registration Software for
       Multi-Sensor Satellite Data", Remote Sensing 9(7), 2017. :DOI:`10.3390/rs9070676`
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import _pairs
import _processes
import _simulated as simulated
import numpy as np

from damagediff import registration, settings, tiles

SHIFT_RC_PX, TURN_DEG, SCALE, SHEAR, RESIDUAL_PX = (4.3, -3.6), 0.3, 1.001, 0.0006, 1.5
"""The motion: small enough for a search range that AROSICS can be given."""
GREEN = 2
"""Its band, counted from 1: AROSICS matches one, and this is nearest to the luminance that ours takes."""
LATTICE_PX = 8
EDGE_PX = 2
"""The error is asked where the content lies this far inside the after image: both have it there."""
FEWEST_POINTS_A_SIDE = 12
"""Of AROSICS's grid, also when we refuse the pair and so looked nothing up."""
GOAL_TIMES_FASTER, GOAL_ERROR_SHARE = 10.0, 0.2
RECIPE = "1"
"""Changed when `install` changes, so that older environments are made anew."""
PEER_PYTHON = "3.11"


class NoPeer(Exception):
    """AROSICS cannot be had here; the message says what is missing."""


def main() -> int:
    """Install, make the pair, run in turn, compare, print, write."""
    args = arguments()
    folders = [f for pattern in simulated.SOURCES for f in sorted(args.data.glob(pattern)) if f.is_dir()]
    if not _pairs.need_data(args.data, folders):
        return 2
    textures = [_pairs.file_of(folder, when) for folder in folders for when in ("before", "after")]
    try:
        python = install(args.env)
    except NoPeer as why:
        print(f"AROSICS cannot be installed: {why}", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as name:
        pair = make_pair(textures, args.size, args.seed, Path(name))
        runs = in_turn(plan(pair, args, python), args.repeats)
    figures = {label: median_of(found) for label, found in runs.items()}
    verdict = compare(figures)
    print(table(figures))
    for label, against in verdict.items():
        print(f"against {label}: {sentence(against)}")
    about = {**_pairs.about(textures), "cpu": cpu_model(), "pair": pair.said}
    _pairs.write_json(args.out, {"figures": figures, "ours_against": verdict, "runs": runs, **about})
    return 0


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--size", type=int, default=4096, help="side of the simulated pair, px")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--windows", type=int, nargs="*", default=[256, 512], help="of AROSICS local, px")
    parser.add_argument("--workers", type=int, default=tiles.available_cores(), help="for both")
    parser.add_argument("--seed", type=int, default=1)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser.add_argument("--env", type=Path, default=cache / "damagediff-bench" / "arosics")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser.parse_args()


def install(env: Path) -> Path:
    """AROSICS in an environment of its own; its Python. Does nothing when that is there already."""
    python, stamp = env / "bin" / "python", env / "installed.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == RECIPE:
        return python
    print(f"installing AROSICS into {env} (minutes, once)", file=sys.stderr)
    gdal = f"gdal=={system_gdal()}.*"
    call(base_python(), "-m", "venv", "--clear", str(env))
    (env / "constraints.txt").write_text(gdal + "\n", encoding="utf-8")
    pip = (str(python), "-m", "pip", "install", "--quiet")
    call(*pip, "setuptools<81", "wheel", "numpy")
    # numpy must be there when the bindings are built, and a wheel built without it must not come from a cache
    call(*pip, "--no-build-isolation", "--no-cache-dir", gdal)
    call(*pip, "--constraint", str(env / "constraints.txt"), "arosics")
    call(str(python), "-c", "from osgeo import gdal_array; import arosics")
    stamp.write_text(RECIPE, encoding="utf-8")
    return python


def system_gdal() -> str:
    """Version of the system's GDAL with headers; installed by apt where that is possible."""
    wanted = ["libgdal-dev", "gdal-bin"]
    if shutil.which("gdal-config") is None:
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise NoPeer(f"no gdal-config. As root: apt-get install -y {' '.join(wanted)}")
        call("apt-get", "update", "-qq")
        call("apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted)
    if shutil.which("g++") is None:
        raise NoPeer("no g++ to build GDAL's bindings. As root: apt-get install -y g++")
    return call("gdal-config", "--version").strip()


def base_python() -> str:
    """A Python of the version that AROSICS and Debian's GDAL work with."""
    if platform.python_version().startswith(f"{PEER_PYTHON}."):
        return sys.executable
    found = shutil.which(f"python{PEER_PYTHON}")
    if found is None:
        raise NoPeer(f"no python{PEER_PYTHON} on the path")
    return found


def call(*command: str) -> str:
    """Run to the end; the last of what it said when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoPeer(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-1500:]}")
    return done.stdout


@dataclass(frozen=True)
class SimulatedPair:
    """Two files, and where the content of each lattice point of the first lies in the second."""

    before: Path
    after: Path
    lattice_rc: np.ndarray
    displacement_rc: np.ndarray
    counts: np.ndarray
    """(N,) lattice points whose content lies inside the after image."""
    said: dict[str, Any]
    """How it was made."""

    @property
    def largest_px(self) -> float:
        """The longest displacement."""
        return float(np.hypot(*self.displacement_rc.T).max())


def make_pair(textures: Sequence[Path], size: int, seed: int, folder: Path) -> SimulatedPair:
    """Write the two files and the lattice."""
    rng = np.random.default_rng([seed, size])
    sources = [s for s in map(simulated.texture, textures) if min(s.shape[:2]) >= simulated.MIN_SOURCE_PX]
    truth, look = motion(size, rng), light(rng)
    before, after, changed = simulated.make_pair(sources, size, "georeferenced", (truth, look), rng, folder)
    ticks = np.arange(0, size, LATTICE_PX)
    lattice = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), -1).reshape(-1, 2).astype(np.float64)
    np.save(folder / "lattice.npy", lattice)
    at = truth.after_at(lattice)
    counts = _pairs.inside(at - EDGE_PX, (size - 2 * EDGE_PX, size - 2 * EDGE_PX))
    said = {"size_px": size, "seed": seed, "changed_share": changed, "look": vars(look), "sha256": {}}
    said |= {"before_from_after": truth.before_from_after, "waves": truth.waves}
    said["sha256"] = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (before, after)}
    return SimulatedPair(before, after, lattice, at - lattice, counts, said)


def motion(size: int, rng: np.random.Generator) -> simulated.Truth:
    """A small affine map about the middle, and a smooth residual of 1.5 px."""
    turn, middle = np.deg2rad(TURN_DEG), np.full(2, (size - 1) / 2)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = SCALE * rotation @ np.array([[1, SHEAR], [0, 1]])
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, middle - linear @ middle + SHIFT_RC_PX
    return simulated.Truth(matrix, simulated.draw_waves(rng, size, most_px=RESIDUAL_PX))


def light(rng: np.random.Generator) -> simulated.Look:
    """Another gain in each band, gamma, gradient of light, noise and JPEG; 2 % replaced."""
    gain, slope = rng.uniform(0.85, 1.1, 3), np.array([0.12, -0.1])
    return simulated.Look(changed_share=0.02, gain=gain, gamma=1.15, slope=slope, noise=3.0, quality=90)


@dataclass(frozen=True)
class Job:
    """One competitor: how to start it, and where its question and its answer lie."""

    label: str
    command: tuple[str, ...]
    """The file of the question is its last word."""
    answer: Path
    displacement: Path
    pair: SimulatedPair


def plan(pair: SimulatedPair, args: argparse.Namespace, python: Path) -> list[Job]:
    """Ours first, then AROSICS in its variants, with a grid of as many points as ours looks up."""
    ours = our_job(pair, args.workers)
    points = run(ours)["points_tried"]  # not counted: it also reads everything into the system's cache once
    return [ours, *their_jobs(pair, points, args, python)]


def our_job(pair: SimulatedPair, workers: int) -> Job:
    """Our registration alone."""
    return job_of("damagediff", (sys.executable, __file__, "_ours"), common(pair, workers), pair)


def their_jobs(pair: SimulatedPair, points: float, args: argparse.Namespace, python: Path) -> list[Job]:
    """AROSICS local with each window size of `args.windows`, on about as many points as ours, and global."""
    runner = str(Path(__file__).with_name("_arosics_runner.py"))
    side = max(math.sqrt(points), FEWEST_POINTS_A_SIDE)
    options = common(pair, args.workers) | {"max_shift_px": math.ceil(pair.largest_px) + 1, "band": GREEN}
    options["grid_res_px"] = math.ceil(pair.said["size_px"] / (side + 1))
    variants = [("local", window) for window in args.windows] + [("global", 256)]
    return [
        job_of(
            f"AROSICS {variant} {window}",
            (str(python), runner),
            {**options, "variant": variant, "window_px": window},
            pair,
        )
        for variant, window in variants
    ]


def common(pair: SimulatedPair, workers: int) -> dict[str, Any]:
    """What both sides are asked."""
    lattice = pair.before.parent / "lattice.npy"
    return {
        "before": str(pair.before),
        "after": str(pair.after),
        "lattice": str(lattice),
        "workers": workers,
    }


def job_of(label: str, command: tuple[str, ...], options: dict[str, Any], pair: SimulatedPair) -> Job:
    """One program on one pair: what it is asked, and where its answer lies."""
    stem = pair.before.parent / label.replace(" ", "_")
    answer, displacement, asked = (stem.with_suffix(end) for end in (".json", ".npy", ".job"))
    asked.write_text(json.dumps({**options, "out": str(answer), "displacement": str(displacement)}), "utf-8")
    return Job(label, (*command, str(asked)), answer, displacement, pair)


def in_turn(jobs: Sequence[Job], repeats: int) -> dict[str, list[dict[str, Any]]]:
    """Every job once, then every job again: what slows the machine down for a while slows all."""
    runs: dict[str, list[dict[str, Any]]] = {job.label: [] for job in jobs}
    for turn in range(repeats):
        for job in jobs:
            print(f"run {turn + 1} of {repeats}: {job.label}", file=sys.stderr)
            runs[job.label].append(run(job))
    return runs


def run(job: Job) -> dict[str, Any]:
    """One process; its own figures, and its error."""
    quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # each side has workers of its own
    command = (*job.command, repr(time.time()))
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _processes.Failed(f"{job.label} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    answer: dict[str, Any] = json.loads(job.answer.read_text(encoding="utf-8"))
    return answer | errors(np.load(job.displacement), job.pair)


def errors(displacement_rc: np.ndarray, pair: SimulatedPair) -> dict[str, float | None]:
    """End-point error over the overlap, px; a point without an answer counts as such, not as an error."""
    error = np.hypot(*(displacement_rc - pair.displacement_rc)[pair.counts].T)
    known = error[np.isfinite(error)]
    answered = {"answered": len(known) / len(error)}
    if not len(known):
        return {"mean_px": None, "p95_px": None, "max_px": None, **answered}
    p95 = float(np.percentile(known, 95))
    return {"mean_px": float(known.mean()), "p95_px": p95, "max_px": float(known.max()), **answered}


def ours(asked: Path, started: float) -> int:
    """Our registration in a process of its own, begun at `started`: open, read, match, fit."""
    start_s, begin, begin_cpu = time.time() - started, time.perf_counter(), time.process_time()
    job = json.loads(asked.read_text(encoding="utf-8"))
    options = settings.Settings(workers=job["workers"])
    with _pairs.opened(Path(job["before"]), Path(job["after"]), options) as scene:
        alignment, model = registration.register(scene)
        answer: dict[str, Any] = {
            "wall_s": time.perf_counter() - begin,
            "cpu_s": time.process_time() - begin_cpu,
            "start_s": start_s,
            "peak_mib": _pairs.peak_mib(),
        }
        at = np.load(job["lattice"])
        found = scene.after.aligned(model).file_from_grid(at) - at
    tried = len(alignment.tie_points) + sum(alignment.windows_unused.values())
    answer |= {"accepted": alignment.accepted, "model": alignment.model, "points_tried": tried}
    answer |= {"points_matched": len(alignment.tie_points), "points_used": alignment.tie_points.count("fit")}
    np.save(job["displacement"], found if alignment.accepted else np.full_like(at, np.nan))
    Path(job["out"]).write_text(json.dumps(answer), encoding="utf-8")
    return 0


def median_of(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of the numbers; the rest as the first run says it."""
    return {
        key: float(np.median([run[key] for run in runs])) if type(value) in (int, float) else value
        for key, value in runs[0].items()
    }


def compare(figures: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Ours against each local variant that gave an answer: how many times faster, what share of the error."""
    return {
        label: against(figures["damagediff"], theirs)
        for label, theirs in figures.items()
        if "local" in label and theirs["mean_px"] is not None
    }


def against(ours_: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Speed and error of ours against theirs, and whether the goals are met."""
    found: dict[str, Any] = {
        "times_faster": theirs["wall_s"] / ours_["wall_s"],
        "times_faster_with_start": with_start(theirs) / with_start(ours_),
        "times_less_cpu": theirs["cpu_s"] / ours_["cpu_s"],
        "mean_error_share": share(ours_["mean_px"], theirs["mean_px"]),
        "p95_error_share": share(ours_["p95_px"], theirs["p95_px"]),
    }
    found["fast_enough"] = min(found["times_faster"], found["times_faster_with_start"]) >= GOAL_TIMES_FASTER
    found["accurate_enough"] = max(found["mean_error_share"], found["p95_error_share"]) <= GOAL_ERROR_SHARE
    return found


def with_start(side: dict[str, Any]) -> float:
    """Seconds of the whole process: Python and the imports too."""
    return float(side["wall_s"] + side["start_s"])


def share(ours_px: float | None, theirs_px: float) -> float:
    """Our error over theirs; infinite when we refused."""
    return math.inf if ours_px is None else ours_px / theirs_px


def table(figures: dict[str, dict[str, Any]]) -> str:
    """One line a program."""
    lines = [f"{'':18} wall s  +start   cpu s    MiB      points   error mean / p95 / max px"]
    for label, f in figures.items():
        points = f"{f['points_used']:.0f}/{f['points_tried']:.0f}"
        known = f["mean_px"] is not None
        error = f"{f['mean_px']:.3f} / {f['p95_px']:.3f} / {f['max_px']:.3f}" if known else "no alignment"
        lines.append(
            f"{label:18} {f['wall_s']:6.2f} {with_start(f):7.2f} {f['cpu_s']:7.2f} {f['peak_mib']:6.0f} "
            f"{points:>11}   {error} ({f['answered']:.1%} of the overlap)"
        )
    return "\n".join(lines)


def sentence(found: dict[str, Any]) -> str:
    """One comparison in words."""
    fast, accurate = ("reached" if found[k] else "NOT reached" for k in ("fast_enough", "accurate_enough"))
    return (
        f"{found['times_faster']:.1f} times faster ({found['times_faster_with_start']:.1f} with the start of "
        f"the process; goal {GOAL_TIMES_FASTER:.0f}: {fast}), {found['times_less_cpu']:.1f} times less CPU, "
        f"error mean {found['mean_error_share']:.2f}, p95 {found['p95_error_share']:.2f} of its "
        f"(goal {GOAL_ERROR_SHARE:.2f}: {accurate})"
    )


def cpu_model() -> str:
    """What the processor calls itself; empty where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


if __name__ == "__main__":
    sys.exit(ours(Path(sys.argv[2]), float(sys.argv[3])) if sys.argv[1:2] == ["_ours"] else main())
