"""A Dask cluster gives the same bytes as threads, survives a lost worker, and is lost in one line."""

from __future__ import annotations

import gc
import json
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from damagediff import bits, cli, cluster, raster, runs, synthetic, tiles
from damagediff import settings as options
from damagediff.errors import ClusterLost, InputError, SettingsError
from damagediff.types import Case, Comparison, Source, Window

pytest.importorskip("distributed")

UTM = {"crs": "EPSG:32638", "transform": Affine(0.5, 0, 614_000, 0, -0.5, 4_504_000)}
WORKERS = 3
NAMES_THE_DAY = {"manifest.json", "ro-crate-metadata.json", "custody.jsonl"}
"""Hold when the run was made, or a hash of what does."""


@contextmanager
def scheduler(folder: Path, workers: int) -> Iterator[SimpleNamespace]:
    """A scheduler and some workers, each a process of its own, on loopback."""
    told, log = folder / "scheduler.json", (folder / "log").open("ab")
    shared = ["--scheduler-file", str(told), "--host", "127.0.0.1", "--no-dashboard"]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", *shared, "--port", "0"]
    begun = [subprocess.Popen(command, stdout=log, stderr=log)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", *shared, "--no-nanny", "--nthreads", "1"]
    worker += ["--local-directory", str(folder), "--memory-limit", "0"]
    begun += [subprocess.Popen(worker, stdout=log, stderr=log) for _ in range(workers)]
    try:
        until = time.monotonic() + 60
        address = None
        while address is None and time.monotonic() < until:
            with suppress(OSError, ValueError):
                address = json.loads(told.read_text(encoding="utf-8"))["address"]
            time.sleep(0.05)
        yield SimpleNamespace(address=address, scheduler=begun[0], workers=begun[1:])
    finally:
        for process in begun:
            process.kill()
            process.wait()
        log.close()


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The cluster of all tests that leave it as it is, but for one worker that one of them kills."""
    with scheduler(tmp_path_factory.mktemp("cluster"), WORKERS) as made:
        yield made


def write(path: Path, pixels: np.ndarray) -> Path:
    bands, rows, cols = pixels.shape
    with rasterio.open(path, "w", "GTiff", cols, rows, bands, dtype="uint8", **UTM) as out:
        out.write(pixels)
    return path


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """A pair with an older image, footprints and a place to leave out: every stage has something to do."""
    folder = tmp_path_factory.mktemp("pair")
    rng = np.random.default_rng(5)
    ground = synthetic.textured(rng, (280, 300)) * 0.6 + 40
    after = np.roll(ground, (2, -3), (0, 1)) * 0.9 + 12
    after[120:170, 130:190] = rng.normal(120, 40, (50, 60))
    stacks = [np.clip(np.rint(np.stack([g, g * 0.95, g * 0.9])), 1, 255) for g in (ground, after)]
    before, later = (stack.astype(np.uint8) for stack in stacks)
    older = write(folder / "older.tif", np.minimum(before, 254) + np.uint8(1))
    for name, box in (("houses", (125, 135, 160, 180)), ("left_out", (10, 10, 40, 60))):
        top, left, bottom, right = box
        ring = [(c, r) for r, c in ((top, left), (top, right), (bottom, right), (bottom, left), (top, left))]
        xy = [(614_000 + c / 2, 4_504_000 - r / 2) for c, r in ring]
        shape = {"type": "Polygon", "coordinates": [xy]}
        crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32638"}}
        feature = {"type": "Feature", "properties": {}, "geometry": shape}
        text = json.dumps({"type": "FeatureCollection", "features": [feature], "crs": crs})
        (folder / f"{name}.geojson").write_text(text, encoding="utf-8")
    return Case(
        Source(write(folder / "before.tif", before)),
        Source(write(folder / "after.tif", later)),
        footprints=folder / "houses.geojson",
        exclude=folder / "left_out.geojson",
        baselines=(Source(older),),
    )


SETTINGS = options.from_dict({"tile_px": 64, "workers": 2, "report": {"pdf": False}})


def run(
    case: Case, out: Path, address: str | None, at: Callable[[str], None] = lambda stage: None
) -> Comparison:
    order = runs.Order(("damagediff", "compare"), dask=address)
    return runs.make(case, SETTINGS, out, order, lambda stage, share: at(stage))


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name not in NAMES_THE_DAY}


@pytest.fixture(scope="module")
def at_home(case: Case, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The run on threads of one process."""
    folder = tmp_path_factory.mktemp("home") / "run"
    assert run(case, folder, None).alignment.accepted
    return contents(folder)


class Once:
    """Does something the first time that it hears of a stage."""

    def __init__(self, stage: str, what: Callable[[], None]) -> None:
        self.stage, self.what, self.done = stage, what, False

    def __call__(self, stage: str) -> None:
        if stage == self.stage and not self.done:
            self.done = True
            self.what()


def test_a_cluster_gives_the_bytes_of_one_machine(
    there: SimpleNamespace, case: Case, at_home: dict[str, bytes], tmp_path: Path
) -> None:
    run(case, tmp_path / "run", there.address)
    assert contents(tmp_path / "run") == at_home
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["sandboxes_of_workers"] == [manifest["environment"]["sandbox"]]


def test_a_killed_worker_costs_time_and_not_the_run(
    there: SimpleNamespace, case: Case, at_home: dict[str, bytes], tmp_path: Path
) -> None:
    killed = Once("measuring change", there.workers[0].kill)
    run(case, tmp_path / "run", there.address, killed)
    assert killed.done and there.workers[0].poll() is not None
    assert contents(tmp_path / "run") == at_home


def test_a_scheduler_that_dies_is_one_line_and_leaves_nothing(case: Case, tmp_path: Path) -> None:
    with scheduler(tmp_path, 1) as short_lived:
        (tmp_path / "out").mkdir()
        begun: list[float] = []

        def kill() -> None:
            begun.append(time.monotonic())
            short_lived.scheduler.kill()

        with pytest.raises(ClusterLost, match=r"^the Dask cluster was lost: .*scheduler broke\. Nothing was"):
            run(case, tmp_path / "out" / "run", short_lived.address, Once("measuring change", kill))
        assert time.monotonic() - begun[0] < 60  # it does not hang; it takes some seconds
        assert list((tmp_path / "out").iterdir()) == []


def test_a_cluster_without_workers_is_not_waited_for_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr(cluster, "WORKERS_SECONDS", 0.5)
    how = {"processes": False, "dashboard_address": "127.0.0.1:0", "protocol": "tcp", "host": "127.0.0.1"}
    with LocalCluster(n_workers=0, **how) as empty:
        with pytest.raises(SettingsError, match="no worker"), cluster.joined(empty.scheduler_address):
            pass
        empty.scale(1)
        with pytest.raises(ClusterLost, match="no worker"), cluster.joined(empty.scheduler_address) as joined:
            assert joined is not None and joined.submit(abs, -3).result() == 3
            empty.scale(0)
            joined.submit(time.sleep, 3600).result()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8786", "tcp://host", "local:0", "local:", "local:4x", "http://host:1", "inproc://1"],
)
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(SettingsError, match=r"tcp://HOST:PORT or tls://HOST:PORT"), cluster.joined(address):
        pass


def test_a_wrong_address_is_told_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 1.0)
    begun = time.monotonic()
    with (
        pytest.raises(SettingsError, match=r"no scheduler answers there"),
        cluster.joined("tcp://127.0.0.1:1"),
    ):
        pass
    assert time.monotonic() - begun < 25


@pytest.mark.parametrize(
    "said",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(7) + b"\1" + bytes(64), b""],
    ids=["http", "binary", "nothing"],
)
def test_what_answers_and_is_no_scheduler_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """Dask takes its first bytes for a count of what follows, and memory for so much."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 2.0)

    def answer(asked: socket.socket) -> None:
        with suppress(OSError):
            while True:
                with asked.accept()[0] as one:
                    one.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
        where = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(SettingsError, match="no scheduler answers there"), cluster.joined(where):
            pass
        listening.shutdown(socket.SHUT_RDWR)
    gc.collect()


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(SettingsError, match=r"needs distributed.*damagediff\[dask\]"),
        cluster.joined("local:2"),
    ):
        pass


def test_other_versions_are_refused(there: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = cluster._that_count()
    monkeypatch.setattr(cluster, "_that_count", lambda: mine | {"numpy": "1.0"})
    words = rf"worker tcp://\S+: it has numpy {mine['numpy']}, this machine has 1\.0"
    with pytest.raises(SettingsError, match=words), cluster.joined(there.address):
        pass


def test_a_worker_that_joins_later_is_asked_too(
    there: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster.joined(there.address) as joined:
        assert joined is not None
        joined._mine["numpy"] = "1.0"
        with pytest.raises(SettingsError, match=r"this machine has 1\.0.*\(worker tcp://"):
            joined.submit(abs, -1).result()


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[raster.Reader]:
    """A reader of seen.tif, of which every pixel is 9."""
    path = write(tmp_path / "seen.tif", np.full((3, 64, 64), 9, np.uint8))
    image = raster.inspect(Source(path), options.ReadSettings())
    with raster.Reader(image, image.roles) as reader:
        yield reader


CORNER = Window(0, 0, 8, 8)


def test_a_worker_that_does_not_see_the_file_says_so(there: SimpleNamespace, seen: raster.Reader) -> None:
    with cluster.joined(there.address) as joined:
        assert joined is not None
        data, _ = joined.submit(partial(raster.Reader.read, seen), CORNER).result()
        assert (data == 9).all()
        seen.image.path.unlink()
        with pytest.raises(InputError, match=r"^seen\.tif: no such file there.*\(worker tcp://127"):
            joined.submit(partial(raster.Reader.read, seen), CORNER).result()


def test_elsewhere_only_the_file_that_was_let_in_is_read(seen: raster.Reader) -> None:
    sent, path = pickle.dumps(seen), seen.image.path
    content = path.read_bytes()
    path.unlink()
    path.with_suffix(".new").write_bytes(content)
    path.with_suffix(".new").rename(path)  # the same bytes in another file are the same picture
    assert (pickle.loads(sent).read(CORNER)[0] == 9).all()
    gc.collect()
    path.write_bytes(content.replace(b"\t" * 8, b"\n" * 8))  # as many bytes
    with pytest.raises(InputError, match=r"^seen\.tif: another file lies there"):
        pickle.loads(sent).read(CORNER)


def test_one_reader_for_each_process_and_file_and_none_is_left(seen: raster.Reader) -> None:
    sent = pickle.dumps(seen)
    again, also = pickle.loads(sent), pickle.loads(sent)
    assert again is also and again is not seen
    again.read(CORNER)
    opened = again._opened
    assert len(opened) == 1
    del again, also
    gc.collect()
    assert opened == [] and not raster._passed_on


def test_an_executor_with_a_width_is_kept_busy() -> None:
    asked: list[int] = []
    with tiles.pool(6) as pool:
        for _ in tiles.map_ordered(abs, (asked.append(k) or k for k in range(40)), pool, ahead=2):
            break
    assert len(asked) == 7  # one for each thread, and one more in place of the first


@given(arrays.arrays(bool, arrays.array_shapes(max_dims=2, max_side=40)) | st.none())
def test_maps_of_bits_come_back_as_they_were(flags: np.ndarray | None) -> None:
    back = bits.unpacked(bits.packed(flags))
    if flags is None:
        assert back is None
        return
    assert back is not None and back.dtype == bool
    np.testing.assert_array_equal(back, flags)


JOIN = """
import sys
from damagediff import cluster
if __name__ == "__main__":
    with cluster.joined(sys.argv[1]) as joined:
        print(joined.submit(abs, -3).result(), joined.threads)
"""


def test_processes_of_this_machine_let_in_only_whom_they_know(tmp_path: Path) -> None:
    (tmp_path / "join.py").write_text(JOIN, encoding="utf-8")
    with cluster.shared("local:2") as address:
        assert address is not None and address.startswith("tls://127.0.0.1:")
        keys = [Path(os.environ[name]) for name in cluster._TLS]
        assert all(key.stat().st_mode & 0o077 == 0 or key.parent.stat().st_mode & 0o077 == 0 for key in keys)
        done = subprocess.run(
            [sys.executable, str(tmp_path / "join.py"), address], capture_output=True, text=True, check=False
        )
        assert done.stdout.split() == ["3", "2"], done.stderr
        with pytest.raises(SettingsError, match="no scheduler answers"):  # this process has no keys
            with cluster.joined(address.replace("tls", "tcp")):
                pass
    assert not any(key.exists() for key in keys) and not any(name in os.environ for name in cluster._TLS)


def test_a_batch_works_on_one_cluster(there: SimpleNamespace, case: Case, tmp_path: Path) -> None:
    table = case.before.path.with_name("pairs.csv")
    table.write_text("name,before,after\nfirst,before.tif,after.tif\n")
    words = ["batch", table, "-o", tmp_path / "out", "--dask", there.address, "-q", "--workers", "1"]
    quick = ["--set", "trust.selftest=false", "--set", "report.pdf=false", "--set", "tile_px=128"]
    done = CliRunner().invoke(cli.main, [str(word) for word in (*words, *quick)])
    lines = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))["cases"]
    assert [line["outcome"] for line in lines] == ["made"], done.output
    told = json.loads((tmp_path / "out" / "first" / "manifest.json").read_text(encoding="utf-8"))
    assert there.address not in json.dumps(told)
