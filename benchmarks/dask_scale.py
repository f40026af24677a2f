"""What does a Dask cluster cost against threads, and how many workers can one process keep busy?

python benchmarks/dask_scale.py --data DIR [--size 4096] [--workers 1,2,4] [--repeats 1] [--threads 1000]
    [--pairs FOLDER] [--only real,simulated,results] [--out FILE.json]

``real``: `damagediff compare --no-selftest` on a georeferenced pair of real texture from DIR (see
_scale_pair.py), in turn on threads and on ``--dask local:N``, each in processes of its own. On one machine
this shows overhead only: the cores are the same.

``results``: how large what a tile of 1,024 px and a window of a self-test give back is, as arrays and
deflated, and how long deflating takes.

``simulated``: a scheduler and two worker processes with together 1,000 threads, on loopback. Their tasks
sleep as long as real ones would work, and give back as much; they come through the same executor and in the
same order as a run's. Told are the share of 1,000 threads that was kept busy, and the processor time of
client and scheduler for each task, by which each could serve so many a second.

Needs Linux, and the extra ``dask``. Cleans up after itself.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import _pairs
import _processes
import _scale_pair
import numpy as np

from damagediff import cluster, measuring, one_pass, pipeline, registration, settings, tiles, types

HERE = Path(__file__).parent
PROCESSES = 2
"""Of the simulated cluster, with half of the threads each."""
SIMULATED = (
    # (seconds of a task, bytes that it gives back, tasks for each thread, share of the threads that are used)
    (0.5, 1_000, 4, 1.0),
    (2.0, 1_000, 4, 1.0),
    (2.0, 100_000, 4, 1.0),
    (10.0, 100_000, 2, 1.0),
    (2.0, 10_000_000, 4, 0.02),
    (2.0, 10_000_000, 4, 0.06),
)


def main() -> int:
    """Run what is asked for, print a line each, write JSON."""
    args = arguments()
    files = _scale_pair.source_files(args.data)
    if not _pairs.need_data(args.data, files):
        return 2
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        pair = _scale_pair.make(files, args.size, (args.pairs or scratch / "pairs") / str(args.size))
        if "results" in args.only:
            found["results"] = results(pair, scratch)
        if "simulated" in args.only:
            found["simulated"] = list(simulated(args.threads, scratch))
        if "real" in args.only:
            found["real"] = list(real(pair, args, scratch))
    _pairs.write_json(args.out, {**found, "size": args.size, **_pairs.about(files)})
    return 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of pairs")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--workers", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2, 4])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1000, help="of the simulated cluster")
    parser.add_argument("--pairs", type=Path, help="folder that keeps the pair")
    parser.add_argument("--only", type=lambda text: text.split(","), default=["real", "simulated", "results"])
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser.parse_args()


def tell(row: dict[str, Any]) -> dict[str, Any]:
    """Print a row, and give it on."""
    print({k: round(v, 4) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    return row


# ---- whole runs ---------------------------------------------------------------------------------


def real(pair: tuple[Path, Path], args: argparse.Namespace, scratch: Path) -> Iterator[dict[str, Any]]:
    """Threads and clusters of this machine, interleaved; medians."""
    ways = {f"threads {n}": [f"--workers={n}"] for n in args.workers}
    ways |= {f"dask local:{n}": ["--workers=1", f"--dask=local:{n}"] for n in args.workers}
    spent: dict[str, list[_processes.Spent]] = {way: [] for way in ways}
    for _ in range(args.repeats):
        for way, words in ways.items():
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                command = [sys.executable, "-m", "damagediff", "compare", *map(str, pair)]
                command += ["-o", str(Path(folder) / "run"), "--no-selftest", *words]
                spent[way].append(_processes.measured(command, scratch / "log"))
    for way, own in spent.items():
        yield tell(
            {"way": way} | {k: float(np.median([asdict(one)[k] for one in own])) for k in asdict(own[0])}
        )


# ---- what comes back ----------------------------------------------------------------------------


def results(pair: tuple[Path, Path], scratch: Path) -> list[dict[str, Any]]:
    """Bytes of what workers give back, and what deflating them would save and cost."""
    case = types.Case(types.Source(pair[0]), types.Source(pair[1]))
    rows = []
    with pipeline.open_scene(case, settings.Settings(workers=1)) as scene:
        _, model = registration.register(scene)
        scene = pipeline.replace(scene, after=scene.after.aligned(model))
        learnt = measuring.learn(scene)
        side = min(1024, *scene.pair.grid.shape)
        begun = time.process_time()
        tile = one_pass._tile(scene, learnt, None, 1 << 2, types.Window(0, 0, side, side))
        tile_s = time.process_time() - begun
        window = measuring.part(scene, types.Window(256, 256, 160, 160), learnt, None)
        sent = pickle.dumps(partial(one_pass._tile, scene, learnt, None, 4))
    for what, value in (("tile of 1,024 px", tile), ("window of 160 px", window)):
        content = pickle.dumps(value, 5)
        begun = time.process_time()
        packed = zlib.compress(content, 1)
        deflate_s = time.process_time() - begun
        begun = time.process_time()
        zlib.decompress(packed)
        rows.append(
            tell(
                {
                    "what": what,
                    "bytes": len(content),
                    "deflated": len(packed),
                    "deflate_s": deflate_s,
                    "inflate_s": time.process_time() - begun,
                }
            )
        )
    rows[0]["work_s"] = tile_s
    return [*rows, tell({"what": "a stage's work, sent once", "bytes": len(sent)})]


# ---- a larger cluster, simulated ----------------------------------------------------------------


def pretend(seconds: float, size: int, item: int) -> tuple[int, np.ndarray]:
    """What a worker does in place of a tile: wait, and give back as much."""
    time.sleep(seconds)
    return item, np.zeros(size, np.uint8)


def simulated(threads: int, scratch: Path) -> Iterator[dict[str, Any]]:
    """Tasks of several lengths and sizes of what they give back."""
    for seconds, size, each, share in SIMULATED:
        used = max(2, round(threads * share))
        with clustered(used, scratch) as (address, begun), cluster.joined(address) as joined:
            assert joined is not None
            while joined.threads < used:
                time.sleep(0.1)
            tasks = used * each
            cpu = [_processes._cpu_s(pid) for pid in (os.getpid(), begun[0].pid)]
            start = time.perf_counter()
            work = partial(pretend, seconds, size)
            for expected, (item, _) in enumerate(tiles.map_ordered(work, range(tasks), joined, ahead=4)):
                assert item == expected
            wall = time.perf_counter() - start
            after = [_processes._cpu_s(pid) for pid in (os.getpid(), begun[0].pid)]
        client, scheduler = (b - a for a, b in zip(cpu, after, strict=True))
        yield tell(
            {
                "threads": used,
                "task_s": seconds,
                "result_bytes": size,
                "tasks": tasks,
                "wall_s": wall,
                "busy_share": seconds * each / wall,
                "tasks_per_s": tasks / wall,
                "mb_per_s": tasks * size / wall / 1e6,
                "client_cpu_ms": client / tasks * 1e3,
                "scheduler_cpu_ms": scheduler / tasks * 1e3,
            }
        )


@contextmanager
def clustered(threads: int, scratch: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A scheduler and worker processes on loopback; its address, and the processes, the scheduler first."""
    told, log = scratch / "scheduler.json", (scratch / "dask.log").open("wb")
    told.unlink(missing_ok=True)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
    shared = ["--scheduler-file", str(told), "--host", "127.0.0.1", "--no-dashboard"]
    worker = ["--no-nanny", "--nthreads", str(threads // PROCESSES), "--memory-limit", "0"]
    words = [["dask_scheduler", *shared, "--port", "0"]]
    words += [["dask_worker", *shared, *worker, "--local-directory", str(scratch)]] * PROCESSES
    begun = []
    try:
        for module, *options in words:
            command = [sys.executable, "-m", f"distributed.cli.{module}", *options]
            begun.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment))
        address = None
        while address is None:
            with suppress(OSError, ValueError):
                address = json.loads(told.read_text(encoding="utf-8"))["address"]
            time.sleep(0.1)
        yield address, begun
    finally:
        for process in begun:
            process.kill()
            process.wait()
        log.close()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    import dask_scale  # so that what is sent is found by workers under a name of its own

    sys.exit(dask_scale.main())
