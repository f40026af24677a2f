"""What a decoder may do, and what becomes of an image whose decoder crashes, hangs or runs out of memory."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from damagediff import cli, decoder_processes, decoding, raster, sandbox
from damagediff.errors import InputError
from damagediff.file_header import File
from damagediff.settings import ReadSettings
from damagediff.types import Source, Window

RGB = ("red", "green", "blue")
KINDS = ("a.tif", "a.png", "a.jpg", "a.webp", "a.jp2", "a.bmp")

pytestmark = pytest.mark.skipif(not decoding.IN_CHILD, reason="no child processes here")


@pytest.fixture(scope="module")
def pixels():
    rows, cols = np.indices((150, 210))
    return np.stack([rows + cols // 2, cols, 255 - rows]).astype(np.uint8)


@pytest.fixture
def fresh():
    """A server that is started in this test, and ended after it."""
    decoding.end_all()
    yield
    decoding.end_all()


def look(path):
    return raster.inspect(Source(path), ReadSettings())


def whole(image):
    with raster.Reader(image, RGB) as reader:
        return reader.read(Window(-5, -5, 200, 300))


def opened(path):
    return decoding.open_file(File(path, "GTiff", path.name))


@pytest.mark.parametrize("name", KINDS)
def test_the_same_pixels_in_a_child_and_here(make_raster, pixels, name, monkeypatch):
    path = make_raster(name, pixels)
    image = look(path)
    data, valid = whole(image)
    monkeypatch.setattr(decoding, "IN_CHILD", False)
    assert look(path) == image and raster.sandbox() == "none"
    same, same_valid = whole(image)
    np.testing.assert_array_equal(data, same)
    np.testing.assert_array_equal(valid, same_valid)


ESCAPE = """
import ctypes, json, os, socket, subprocess, sys
from pathlib import Path
from damagediff import sandbox
given, other = Path(sys.argv[1]), Path(sys.argv[2])
on = sandbox.restrict([given], 1 << 28)
def tried(act):
    try:
        act()
    except (OSError, MemoryError) as error:
        return type(error).__name__
    return "done"
def listens(kind):
    with socket.socket(socket.AF_INET, kind) as one:
        one.connect(("127.0.0.1", int(sys.argv[3])))
print(json.dumps({
    "on": on,
    "read given": tried(given.read_bytes),
    "read other": tried(other.read_bytes),
    "list": tried(lambda: os.listdir(other.parent)),
    "write given": tried(lambda: given.open("r+b")),
    "write new": tried(lambda: other.with_name("new").write_bytes(b"x")),
    "remove": tried(other.unlink),
    "tcp": tried(lambda: listens(socket.SOCK_STREAM)),
    "udp": tried(lambda: listens(socket.SOCK_DGRAM)),
    "run": tried(lambda: os.execv(sys.executable, [sys.executable, "-c", ""])),
    "memory": tried(lambda: bytearray(1 << 30)),
}))
"""


def test_a_restricted_process_reads_what_it_was_given_and_nothing_else(tmp_path):
    given, other = tmp_path / "given", tmp_path / "other"
    given.write_bytes(b"a")
    other.write_bytes(b"b")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-c", ESCAPE, given, other, port], capture_output=True, text=True, check=True
        )
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    said = json.loads(done.stdout)
    assert said["read given"] == "done" and said["memory"] == "MemoryError"
    if sandbox.landlock_abi() == 0 or "seccomp" not in said["on"]:
        pytest.skip(f"this kernel has only: {said['on']}")
    refused = {"read other", "list", "write given", "write new", "remove", "tcp", "udp", "run"}
    assert {name: said[name] for name in refused} == dict.fromkeys(refused, "PermissionError")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["given", "other"]


def test_the_manifest_tells_what_was_on():
    assert raster.sandbox().startswith("process")


def test_a_decoder_that_crashes_is_an_error_of_its_image(make_raster, pixels):
    path, other = make_raster("a.tif", pixels), make_raster("b.tif", pixels)
    one = opened(path)
    one.ask("layout")
    os.kill(one.pid, signal.SIGSEGV)
    with pytest.raises(InputError, match=r"^a.tif: its decoder crashed\. "):
        one.ask("header")
    one.close()
    assert whole(look(other))[1].any()


def test_a_decoder_that_hangs_is_stopped(make_raster, pixels, monkeypatch):
    monkeypatch.setattr(decoding, "BASE_SECONDS", 0.05)
    one = opened(make_raster("a.tif", pixels))
    os.kill(one.pid, signal.SIGSTOP)
    with pytest.raises(InputError, match="^a.tif: its decoder took more than"):
        one.ask("header")
    one.close()
    with pytest.raises(ProcessLookupError):
        os.kill(one.pid, 0)


def test_a_decoder_that_computes_for_ever_is_ended_by_the_kernel(make_raster, pixels, monkeypatch, fresh):
    def forever(self):
        while True:
            pass

    monkeypatch.setattr(decoding.Decoder, "layout", forever)
    monkeypatch.setattr(decoding, "BASE_SECONDS", 0)
    monkeypatch.setattr(decoding, "PATIENCE", 1000)
    one = decoding.open_file(File(make_raster("a.tif", pixels), "GTiff", "a.tif"), 400_000)
    with pytest.raises(InputError, match="^a.tif: its decoder took too much time"):
        one.ask("layout")
    one.close()


def test_a_decoder_without_memory_is_an_error_of_its_image(make_raster, pixels, monkeypatch, fresh):
    monkeypatch.setattr(decoding.Decoder, "layout", lambda self: {"driver": str(bytearray(1 << 28))})
    monkeypatch.setattr(decoder_processes, "MEMORY_BYTES", 1 << 27)
    path = make_raster("a.tif", pixels)
    with pytest.raises(InputError, match="^a.tif: it needs more memory than one image may take"):
        look(path)
    assert path.is_file()


def test_a_decoder_that_answers_nonsense_is_told(make_raster, pixels, monkeypatch, fresh):
    monkeypatch.setattr(decoding.Decoder, "layout", lambda self: {"driver": 7, "shape": "ab"})
    with pytest.raises(InputError, match="answered nonsense"):
        look(make_raster("a.tif", pixels))


def test_a_server_that_is_gone_is_started_again(make_raster, pixels):
    path = make_raster("a.tif", pixels)
    look(path)
    decoding.end_idle()
    os.kill(decoding.server_pid(), signal.SIGKILL)
    assert whole(look(path))[1].any()


def test_children_end_with_their_parent(make_raster, pixels):
    path = make_raster("a.tif", pixels)
    code = (
        "import os, sys; from pathlib import Path; from damagediff import decoding, raster\n"
        "from damagediff.types import Source; from damagediff.settings import ReadSettings\n"
        "raster.inspect(Source(Path(sys.argv[1])), ReadSettings())\n"
        "print(decoding.server_pid(), flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    status = Path(f"/proc/{int(done.stdout)}/stat")
    for _ in range(200):
        if not status.exists() or " Z " in status.read_text(encoding="ascii"):
            break
        signal.sigtimedwait([], 0.02)
    else:
        pytest.fail("the server outlives its parent")


def test_a_crash_is_one_line_and_exit_code_3(make_raster, pixels, monkeypatch, fresh):
    monkeypatch.setattr(decoding.Decoder, "header", lambda self: os.kill(os.getpid(), signal.SIGSEGV))
    done = CliRunner().invoke(cli.main, ["info", str(make_raster("a.tif", pixels))])
    assert done.exit_code == 3, done.output
    (line,) = done.output.strip().splitlines()
    assert line.startswith("damagediff: a.tif: its decoder crashed")


@pytest.mark.parametrize(("threads", "most"), [(4, 1), (12, 12)])
def test_threads_share_a_decoder(make_raster, threads, most, monkeypatch):
    """A few wait for one another; where many would, there are more. The pixels are the same."""
    pixels = np.random.default_rng(0).integers(0, 255, (1, 300, 200), np.uint8)
    image = raster.inspect(Source(make_raster("a.tif", pixels)), ReadSettings())
    made, real = [], decoding.open_file
    monkeypatch.setattr(decoding, "open_file", lambda *given: made.append(real(*given)) or made[-1])
    windows = [Window(row, 0, 7, 200) for row in range(0, 290, 7)]
    with raster.Reader(image, ("grey",)) as reader, ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda window: reader.read(window)[0], windows))
    assert 1 <= len(made) <= most
    for window, data in zip(windows, found, strict=True):
        assert np.array_equal(data, pixels[:, *window.slices])


def test_a_decoder_that_cannot_be_opened_keeps_no_thread_waiting(make_raster, monkeypatch):
    image = raster.inspect(Source(make_raster("a.tif", np.eye(90, dtype=np.uint8)[None])), ReadSettings())

    def refuse(*_):
        time.sleep(0.02)
        raise InputError("no process")

    monkeypatch.setattr(decoding, "open_file", refuse)
    with raster.Reader(image, ("grey",)) as reader, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(reader.read, Window(0, 0, 9, 9)) for _ in range(6)]
        assert all(isinstance(each.exception(timeout=20), InputError) for each in asked)
