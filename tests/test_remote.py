"""Images at https addresses: read by parts, only where allowed, only from the public Internet."""

from __future__ import annotations

import hashlib
import json
import ssl
import struct
import threading
import time
from pathlib import Path

import https_server
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from rasterio.enums import Resampling
from rasterio.transform import from_origin

from damagediff import cli, decoding, passing, pipeline, raster, remote, remote_http, runs, synthetic
from damagediff.errors import EvidenceError, InputError
from damagediff.settings import ReadSettings, from_dict
from damagediff.types import Case, Source, Window

READ = ReadSettings()
SAMPLES = Path(__file__).parents[1] / "sample_images"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return https_server.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def server(certificate, monkeypatch):
    """A server that is trusted, on an address that counts as public."""

    def trusting():
        context = ssl.create_default_context(cafile=str(certificate[0]))
        return context

    monkeypatch.setattr(remote_http, "_context", trusting)
    monkeypatch.setattr(remote_http, "public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(remote_http, "PAUSES_S", (0.0, 0.0))
    with https_server.running(certificate) as told:
        yield told


@pytest.fixture(autouse=True)
def nothing_left(tmp_path, monkeypatch):
    """Temporary folders go where it is seen that they are gone."""
    there = tmp_path / "temporary"
    there.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(there))
    yield
    assert list(there.glob("damagediff-remote-*")) == []
    assert remote._open == {}


def cog(path: Path, data: np.ndarray, **options) -> Path:
    """A Cloud Optimized GeoTIFF, of pixels of half a metre where nothing else is said."""
    bands, rows, cols = data.shape
    shape = {"count": bands, "height": rows, "width": cols, "dtype": data.dtype}
    where = {"crs": "EPSG:32638", "transform": from_origin(500_000, 4_500_000, 0.5, 0.5)}
    told = {"blocksize": 128, "compress": "DEFLATE"} | where | options
    with rasterio.open(path, "w", driver="COG", **shape, **told) as out:
        out.write(data)
    return path


def scene(side: int, seed: int = 0) -> np.ndarray:
    return np.clip(synthetic.textured(np.random.default_rng(seed), (side, side)), 0, 255).astype(np.uint8)


def run(*arguments):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def one_line(done, code: int) -> str:
    assert done.exit_code == code, done.output
    assert isinstance(done.exception, SystemExit)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def refused(server, path="/a.tif") -> str:
    """The one line with which ``info`` ends."""
    return one_line(run("info", "--allow-remote", server.url + path), 3)


# ---- the same results, and how much is fetched --------------------------------------------------


def test_a_run_gives_the_same_results_and_can_be_made_again(server, tmp_path):
    """Pixels, figures and numbers; what differs is where the image came from."""
    with rasterio.open(SAMPLES / "ganja_before.tif") as image:
        where = {"crs": image.crs, "transform": image.transform, "overviews": "AUTO"}
        cog(tmp_path / "b.tif", image.read(), **where)
    with rasterio.open(SAMPLES / "ganja_after.tif") as image:
        corner = from_origin(*image.xy(420, 420, offset="ul"), *image.res)
        cog(tmp_path / "a.tif", image.read()[:, 420:850, 420:850], crs=image.crs, transform=corner)
    server.files = {"/x/b.tif": (tmp_path / "b.tif").read_bytes()}
    quick = ["--no-selftest", "--no-pdf", "-q", "--before-date", "2020-01-01", "--after-date", "2020-01-02"]
    here, there = tmp_path / "here", tmp_path / "there"
    done = run("compare", tmp_path / "b.tif", tmp_path / "a.tif", "-o", here, *quick)
    assert done.exit_code == 0, done.output
    address = f"{server.url}/x/b.tif"
    done = run("compare", "--allow-remote", address, tmp_path / "a.tif", "-o", there, *quick)
    assert done.exit_code == 0, done.output
    told = [json.loads((folder / "results.json").read_text()) for folder in (here, there)]
    images = [each["pair"].pop("before") for each in told]
    assert images[1]["sha256"] is None
    assert images[1]["address"] == images[1]["source"]["url"] == address
    assert any("not kept whole" in note for note in images[1]["notes"])
    for each in told:  # names of what the runs are made from
        each.pop("evidence_id", None)
        each.pop("notes")
    assert told[0] == told[1]
    assert told[0]["regions"]
    for name in ("change_score.tif", "change_mask.tif", "after_aligned.tif", "regions.geojson"):
        assert (here / name).read_bytes() == (there / name).read_bytes(), name
    page = (there / "report.html").read_text()
    assert "read by parts and not kept whole" in page

    manifest = json.loads((there / "manifest.json").read_text())
    (item,) = [item for item in manifest["inputs"] if item["role"] == "before"]
    assert item["sha256"] is None
    assert item["bytes"] == item["remote"]["size_bytes"] == len(server.files["/x/b.tif"])
    assert item["remote"]["etag"] == '"1"'
    content = server.files["/x/b.tif"]
    read = b"".join(content[start:stop] for start, stop in item["remote"]["ranges"])
    assert len(read) == item["remote"]["fetched_bytes"]
    assert hashlib.sha256(read).hexdigest() == item["remote"]["sha256"]

    server.asked.clear()
    assert run("verify", there, "--inputs", tmp_path, "--no-record").exit_code == 0
    assert "--allow-remote" in run("verify", there, "--inputs", tmp_path, "--rerun", "--no-record").stderr
    assert server.asked == []
    again = ("verify", there, "--inputs", tmp_path, "--rerun", "--allow-remote", "--no-record", "-q")
    text = (there / "manifest.json").read_text()
    elsewhere = json.loads(text)  # who forges a run would have one host named and another one asked
    elsewhere["case"]["before"]["address"] = "https://trusted.example/b.tif"
    (there / "manifest.json").write_text(json.dumps(elsewhere))
    with pytest.raises(EvidenceError, match="another address of before than"):
        runs.again(there, tmp_path, runs.Again(allow_remote=True))
    (there / "manifest.json").write_text(text)
    server.etag = '"2"'  # the same bytes under another name of their version are the same
    done = run(*again)
    assert done.exit_code == 0, done.output
    assert "results.json: identical" in done.stderr
    start = item["remote"]["ranges"][0][1] - 5
    server.files["/x/b.tif"] = content[:start] + b"\0" + content[start + 1 :]
    assert "is not what was compared" in run(*again).stderr


def test_only_the_part_that_both_images_show_is_fetched(server, tmp_path):
    side, small = 3072, 972
    whole = scene(side)
    cog(tmp_path / "b.tif", whole[None], overviews="AUTO")
    cog(tmp_path / "a.tif", whole[None, :small, :small])
    content = (tmp_path / "b.tif").read_bytes()
    server.files = {"/b.tif": content}
    given = [Source(Path(f"{server.url}/b.tif")), Source(tmp_path / "a.tif")]
    with remote.opened(given, READ, True) as (before, after):
        header = server.bytes
        with pipeline.open_scene(Case(before, after), from_dict({"workers": 2})) as opened:
            grid = opened.pair.grid.shape
            for row in range(0, grid[0], 256):
                opened.before.read(Window(row, 0, min(256, grid[0] - row), grid[1]))
            told = remote.fetched(before.path)
    assert grid == (small, small)
    assert header < 0.03 * len(content)
    parts = sorted(part for _, part in server.asked)
    assert all(first[1] <= second[0] for first, second in zip(parts, parts[1:], strict=False)), (
        "fetched twice"
    )
    assert told.fetched_bytes == server.bytes - max(0, parts[-1][1] - len(content))
    # A tenth, 128 px around it, whole blocks, and 16 kB around each row of them.
    assert server.bytes < 0.2 * len(content)
    assert len(server.asked) < 40, "neighbouring blocks go into one request"


def test_pixels_are_those_of_the_file_however_they_lie_in_it(server, tmp_path):
    """Planes, masks, palettes of blocks without data: what GDAL reads for a window has been fetched."""
    rng = np.random.default_rng(3)
    data = rng.integers(1, 255, (4, 500, 400), dtype=np.uint8)
    kinds = {
        "planes.tif": {"interleave": "band"},
        "pixels.tif": {"photometric": "RGB", "alpha": "yes"},
        "big.tif": {"BIGTIFF": "YES", "compress": "lzw"},
    }
    for name, options in kinds.items():
        said = {"driver": "GTiff", "tiled": True, "blockxsize": 64, "blockysize": 64} | options
        shape = {"count": 4, "height": 500, "width": 400, "dtype": "uint8"}
        where = {"crs": "EPSG:32638", "transform": from_origin(500_000, 4_500_000, 1, 1)}
        with rasterio.open(tmp_path / name, "w", **shape, **where, **said) as out:
            out.write(data)
            out.build_overviews([2, 4], Resampling.average)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with rasterio.open(
            tmp_path / "mask.tif", "w", driver="GTiff", tiled=True, blockxsize=64, blockysize=64, count=3,
            height=500, width=400, dtype="uint8", crs="EPSG:32638", transform=from_origin(0, 4_500_000, 1, 1),
        ) as out:  # fmt: skip
            out.write(data[:3])
            out.write_mask((rng.random((500, 400)) < 0.7).astype(np.uint8) * 255)
    for name in (*kinds, "mask.tif"):
        server.files[f"/{name}"] = (tmp_path / name).read_bytes()
        with remote.opened([Source(Path(f"{server.url}/{name}"))], READ, True) as (source,):
            pairs = [raster.inspect(each, READ) for each in (Source(tmp_path / name), source)]
            assert pairs[0].shape == pairs[1].shape
            roles = pairs[0].roles[:1]
            with raster.Reader(pairs[0], roles) as local, raster.Reader(pairs[1], roles) as far:
                for window in (Window(130, 70, 90, 40), Window(0, 0, 64, 64), Window(440, 300, 80, 120)):
                    for one, other in zip(local.read(window), far.read(window), strict=True):
                        assert np.array_equal(one, other), (name, window)
                assert server.bytes
                for one, other in zip(local.read_reduced(100), far.read_reduced(100), strict=True):
                    assert np.array_equal(one, other), name


# ---- what is never asked ------------------------------------------------------------------------


def test_nothing_is_asked_without_the_option(server, tmp_path):
    local = cog(tmp_path / "a.tif", scene(128)[None])
    server.files = {"/a.tif": local.read_bytes()}
    address = f"{server.url}/a.tif"
    for line in (
        one_line(run("info", address), 3),
        one_line(run("compare", local, address, "-o", tmp_path / "run"), 3),
        one_line(run("align", address, local, "-o", tmp_path / "o.tif"), 3),
        one_line(run("compare", local, local, "-o", tmp_path / "run", "--baseline", address,
                     "--baseline-date", "2019-01-01", "--allow-remote"), 3),
    ):  # fmt: skip
        assert "--allow-remote" in line
    case = tmp_path / "case.toml"
    case.write_text(f'output = "run"\n[before]\nfile = "{address}"\n[after]\nfile = "a.tif"\n')
    assert run("compare", case).exit_code in (2, 3)
    assert "case file" in one_line(run("compare", case, "--allow-remote"), 2)
    line = one_line(run("info", f"https://me:secret@localhost:{server.port}/a.tif?key=secret"), 3)
    assert f"{server.url}/a.tif: only files" in line
    assert "secret" not in line
    assert server.asked == []


def test_a_file_that_names_addresses_leads_nowhere_though_addresses_are_allowed(server, tmp_path):
    address = f"{server.url}/a.tif"
    server.files = {"/a.tif": cog(tmp_path / "a.tif", scene(128)[None]).read_bytes()}
    text = (
        '<VRTDataset rasterXSize="128" rasterYSize="128"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>/vsicurl/{address}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    (tmp_path / "b.tif").write_text(text)
    server.files["/b.tif"] = text.encode()
    assert "not an image type" in one_line(run("info", "--allow-remote", tmp_path / "b.tif"), 3)
    assert "not a TIFF" in refused(server, "/b.tif")
    assert [path for path, _ in server.asked] == ["/b.tif"]


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:{}/a.tif",
        "ftp://localhost:{}/a.tif",
        "s3://bucket/a.tif",
        "/vsicurl/https://localhost:{}/a.tif",
        "https://me:secret@localhost:{}/a.tif",
        "https://localhost:{}/a.tif?sig=secret",
        "https://localhost:{}/a.tif#secret",
        "https://localhost:99999/a.tif",
        "https://localhost:{}",
        "https://local host:{}/a.tif",
        "https://localhost:{}/a\\b.tif",
        "https://[::1]:{}/a.tif\x1b[0m",
    ],
)
def test_other_addresses_are_refused_before_anyone_is_asked(server, address):
    server.files = {"/a.tif": b"II*\0"}
    line = one_line(run("info", "--allow-remote", address.format(server.port)), 3)
    assert server.asked == []
    assert "secret" not in line
    assert line.isprintable()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("192.168.0.1", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_on_the_public_internet(address, expected):
    assert remote_http.public(address) is expected


def test_a_name_that_leads_to_this_machine_is_not_connected_to(server, monkeypatch):
    """Names are looked up once, and what was checked is what is connected to."""
    monkeypatch.undo()
    assert "not on the public Internet" in refused(server)
    assert server.asked == []


def test_a_certificate_that_nobody_vouches_for(server, monkeypatch):
    context = remote_http.ssl.create_default_context()
    monkeypatch.setattr(remote_http, "_context", lambda: context)
    assert "its certificate is not trusted" in refused(server)
    monkeypatch.setattr(
        remote_http.socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", server.port))]
    )
    assert "its certificate is not trusted" in one_line(
        run("info", "--allow-remote", f"https://other.example:{server.port}/a.tif"), 3
    )
    assert server.asked == []


# ---- servers that lie, fail or dawdle -----------------------------------------------------------

MOVED = {
    "another host": "https://example.org/a.tif",
    "another port": "https://localhost:1/a.tif",
    "plain http": "http://localhost:{}/a.tif",
    "this machine": "https://127.0.0.1:{}/a.tif",
    "a file": "file:///etc/passwd",
    "a key": "/a.tif?key=1",
    "itself": "/moved.tif",
    "nowhere": "",
}


@pytest.mark.parametrize("to", MOVED.values(), ids=MOVED)
def test_redirects_elsewhere_are_not_followed(server, to):
    server.wrong["/moved.tif"] = lambda handler, *_: handler.say(
        302, {"Location": to.format(server.port)}, b"x" * 99
    )
    assert "redirects" in refused(server, "/moved.tif") or "leads to another" in refused(server, "/moved.tif")
    assert {path for path, _ in server.asked} == {"/moved.tif"}


def test_a_redirect_on_the_same_host_is_followed(server, tmp_path):
    server.files = {"/to/a.tif": cog(tmp_path / "a.tif", scene(128)[None]).read_bytes()}
    server.wrong["/moved.tif"] = lambda handler, *_: handler.say(301, {"Location": "to/a.tif"}, b"elsewhere")
    done = run("info", "--allow-remote", "--json", f"{server.url}/moved.tif")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["address"] == f"{server.url}/moved.tif"


def begin_all(handler, content):
    """The head of an answer that will be the whole file."""
    handler.send_response(206)
    size = len(content)
    told = {"ETag": '"1"', "Content-Range": f"bytes 0-{size - 1}/{size}", "Content-Length": str(size)}
    for name, value in told.items():
        handler.send_header(name, value)
    handler.end_headers()


def cut_short(handler, content):
    begin_all(handler, content)
    handler.wfile.write(content[:-7])
    handler.close_connection = True


LIES = {
    "ignores ranges": (lambda h, p, c: h.say(200, {"ETag": '"1"'}, c), "does not answer for parts"),
    "sends another part": (
        lambda h, p, c: h.part(p, c, Content_Range=f"bytes 1-{min(p[1], len(c))}/{len(c)}"),
        "other bytes than were asked",
    ),
    "sends more": (
        lambda h, p, c: h.say(
            206, {"ETag": '"1"', "Content-Range": f"bytes 0-{len(c) - 1}/{len(c)}"}, c + b"more"
        ),
        "other bytes than were asked",
    ),
    "packs": (lambda h, p, c: h.part(p, c, Content_Encoding="gzip"), "other bytes than were asked"),
    "does not say which part": (lambda h, p, c: h.part(p, c, Content_Range="bytes */*"), "which part"),
    "does not say which version": (lambda h, p, c: h.part(p, c, ETag=""), "no version"),
    "says that it is endless": (
        lambda h, p, c: h.part(p, c, Content_Range=f"bytes 0-{len(c) - 1}/{10**17}"),
        "more than any scene",
    ),
    "is gone": (lambda h, p, c: h.say(404, {}), "404 Not Found"),
    "forbids": (lambda h, p, c: h.say(403, {}), "403 Forbidden"),
    "says nonsense": (lambda h, p, c: h.wfile.write(b"\x1b[31mnonsense\r\n\r\n"), "cannot be fetched"),
    "ends too early": (lambda h, p, c: cut_short(h, c), "end too early"),
    "is busy": (lambda h, p, c: h.say(503, {}), "503 Service Unavailable"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_lies_or_fails(server, tmp_path, lie):
    server.files = {"/a.tif": cog(tmp_path / "a.tif", scene(128)[None]).read_bytes()}
    server.wrong["/a.tif"], words = LIES[lie]
    assert words in refused(server)
    again = lie in ("says nonsense", "ends too early", "is busy")
    assert len(server.asked) == (3 if again else 1)


def test_a_server_that_fails_now_and_then_is_asked_again(server, tmp_path):
    server.files = {"/a.tif": cog(tmp_path / "a.tif", scene(128)[None]).read_bytes()}
    failures = [503, 429]

    def sometimes(handler, part, content):
        handler.say(failures.pop(), {}) if failures else handler.part(part, content)

    server.wrong["/a.tif"] = sometimes
    assert run("info", "--allow-remote", f"{server.url}/a.tif").exit_code == 0


def test_a_server_that_does_not_answer_in_time(server, tmp_path, monkeypatch):
    monkeypatch.setattr(remote_http, "TIMEOUT_S", 0.2)
    server.files = {"/a.tif": cog(tmp_path / "a.tif", scene(128)[None]).read_bytes()}
    server.wrong["/a.tif"] = https_server.slow
    assert "no answer in time" in refused(server)


def test_a_server_that_drips(server, tmp_path, monkeypatch):
    """Each byte comes in time, and all of them do not."""
    monkeypatch.setattr(remote_http, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(remote_http, "SLOWEST_BYTES_S", 1e9)
    monkeypatch.setattr(remote_http, "PAUSES_S", ())
    content = cog(tmp_path / "a.tif", scene(128)[None]).read_bytes()

    def drip(handler, part, content):
        begin_all(handler, content)
        for byte in content[:40]:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.03)

    server.files, server.wrong["/a.tif"] = {"/a.tif": content}, drip
    assert "no answer in time" in refused(server)


@pytest.mark.parametrize("how", ["refuses", "does not mind"])
def test_a_file_that_changes_meanwhile(server, tmp_path, how):
    """Whether the server heeds If-Match or not: parts of two versions are no picture."""
    content = cog(
        tmp_path / "a.tif", np.random.default_rng(0).integers(0, 255, (3, 900, 900), np.uint8)
    ).read_bytes()
    server.files = {"/a.tif": content}
    with remote.opened([Source(Path(f"{server.url}/a.tif"))], READ, True) as (source,):
        image = raster.inspect(source, READ)
        server.etag = '"2"'
        if how == "refuses":
            server.wrong["/a.tif"] = lambda handler, *_: handler.say(412, {})
        with raster.Reader(image, ("red",)) as reader, pytest.raises(InputError, match="changed while"):
            reader.read(Window(600, 600, 50, 50))
    assert server.heads[-1]["If-Match"] == '"1"'


def test_more_than_may_be_fetched(server, tmp_path):
    data = np.random.default_rng(0).integers(0, 255, (3, 900, 900), np.uint8)
    server.files = {"/a.tif": cog(tmp_path / "a.tif", data).read_bytes()}
    line = one_line(
        run("align", "--allow-remote", f"{server.url}/a.tif", tmp_path / "a.tif", "-o", tmp_path / "o.tif",
            "--set", "read.max_fetched_bytes=200000"), 3)  # fmt: skip
    assert "read.max_fetched_bytes" in line
    assert server.bytes < 200_000 + remote.PAGE_BYTES
    assert not (tmp_path / "o.tif").exists()


def test_not_tiled_or_damaged(server, tmp_path, make_raster):
    """What would need the whole file is better downloaded; so is what is broken."""
    where = {"crs": "EPSG:32638", "transform": from_origin(500_000, 4_500_000, 1, 1)}
    server.files["/strips.tif"] = make_raster("s.tif", scene(200)[None], **where).read_bytes()
    assert "not a tiled TIFF" in refused(server, "/strips.tif")
    whole = cog(tmp_path / "a.tif", scene(600)[None]).read_bytes()
    server.files["/cut.tif"] = whole[: len(whole) // 2]
    assert "beyond its end" in refused(server, "/cut.tif")
    server.files["/noise.tif"] = b"II*\0" + np.random.default_rng(0).bytes(9_000)
    refused(server, "/noise.tif")
    server.files["/empty.tif"] = b"II*\0\x08\0\0\0\0\0"
    refused(server, "/empty.tif")


def test_what_is_not_fetched_is_never_decoded(server, tmp_path):
    """A hole would be black: another process than the one that fetches refuses."""
    server.files = {"/a.tif": cog(tmp_path / "a.tif", scene(128)[None]).read_bytes()}
    with remote.opened([Source(Path(f"{server.url}/a.tif"))], READ, True) as (source,):
        image = raster.inspect(source, READ)
        with pytest.raises(InputError, match="not passed on to other processes"):
            passing.check(image, passing.stamp(image))
    with pytest.raises(InputError, match="by another process, or no more"):
        remote.bring(image.path, [1], Window(0, 0, 10, 10))
    decoding.end_idle()


# ---- what a host may do to have holes read, or to be waited for ---------------------------------


def tiff_of(fields: list[tuple[int, int, int, int]], arrays: dict[int, bytes], size: int) -> bytes:
    """A TIFF of these entries (tag, type, count, value), with arrays at their places, 90 elsewhere."""
    table = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *each) for each in fields)
    content = bytearray([90]) * size
    content[:8] = b"II*\0" + struct.pack("<I", 8)
    content[8 : 12 + len(table)] = table + bytes(4)
    for at, array in arrays.items():
        content[at : at + len(array)] = array
    return bytes(content)


PLAIN = [(256, 3, 1, 128), (257, 3, 1, 128), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1),
         (284, 3, 1, 1), (322, 3, 1, 64), (323, 3, 1, 64)]  # fmt: skip


def test_strips_beside_tiles_are_refused(server):
    """GDAL follows whichever comes last: its pixels would be those of a hole, black."""
    far = 600_000
    arrays = {
        400: struct.pack("<4I", *(1000 + 4096 * k for k in range(4))),
        416: struct.pack("<4I", *(far + 4096 * k for k in range(4))),
        432: struct.pack("<4I", *[4096] * 4),
    }
    tiles, strips = [(324, 4, 4, 400), (325, 4, 4, 432)], [(273, 4, 4, 416)]
    server.files["/tiles.tif"] = tiff_of([*PLAIN, *tiles], arrays, far + 4 * 4096)
    server.files["/both.tif"] = tiff_of([*PLAIN, *tiles, *strips], arrays, far + 4 * 4096)
    assert run("info", "--allow-remote", f"{server.url}/tiles.tif").exit_code == 0
    assert "both that it has tiles and" in refused(server, "/both.tif")
    old = [(259, 3, 1, 6) if each[0] == 259 else each for each in PLAIN]
    tables = [(519, 4, 1, far)]
    server.files["/old.tif"] = tiff_of([*old, *tiles, *tables], arrays, far + 4 * 4096)
    assert "of the kind of TIFF 6.0" in refused(server, "/old.tif")


def test_a_field_that_only_gdal_can_read_is_refused(server):
    """One plane for each band, said as a byte: half of the places would be taken for another layout."""
    arrays = {
        400: struct.pack("<4I", *(1000 + 4096 * k for k in range(4))),
        432: struct.pack("<4I", *[4096] * 4),
    }
    odd = [(tag, 1 if tag == 284 else kind, many, value) for tag, kind, many, value in PLAIN]
    server.files["/a.tif"] = tiff_of([*odd, (324, 4, 4, 400), (325, 4, 4, 432)], arrays, 30_000)
    assert "in an unusual way" in refused(server)


def test_blocks_that_each_claim_to_be_the_whole_file(server):
    """Their sum is refused before anything of them is marked or fetched."""
    side, many = 4096, 64 * 64
    size = 400_000
    fields = [(256, 4, 1, side), (257, 4, 1, side), *PLAIN[2:], (324, 4, many, 1000), (325, 4, many, 20_000)]
    arrays = {1000: struct.pack("<I", 40_000) * many, 20_000: struct.pack("<I", size - 40_000) * many}
    server.files["/a.tif"] = tiff_of(fields, arrays, size)
    few = from_dict({"read": {"max_fetched_bytes": 1_000_000}}).read
    with remote.opened([Source(Path(f"{server.url}/a.tif"))], few, True) as (source,):
        asked = len(server.asked)
        with pytest.raises(InputError, match="max_fetched_bytes"):
            remote.bring(source.path, [1], Window(0, 0, side, side))
        assert len(server.asked) == asked
        remote.bring(source.path, [1], Window(0, 0, 64, 64))


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example", "a.example" * 40])
def test_names_that_no_host_can_have(host):
    assert "not a plain address" in one_line(run("info", "--allow-remote", f"https://{host}/a.tif"), 3)


@pytest.mark.parametrize("how", ["interim", "header"])
def test_a_server_that_never_comes_to_the_point(server, monkeypatch, how):
    """Each line comes in time, and the answer never begins."""
    monkeypatch.setattr(remote_http, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(remote_http, "SLOWEST_BYTES_S", 1e9)
    monkeypatch.setattr(remote_http, "PAUSES_S", ())
    line = {"interim": b"HTTP/1.1 100 Continue\r\n\r\n", "header": b"x"}[how]

    def dawdle(handler, part, content):
        if how == "header":
            handler.wfile.write(b"HTTP/1.1 206 Partial Content\r\nX: ")
        for _ in range(600):  # 12 s, if nobody hangs up
            handler.wfile.write(line)
            time.sleep(0.02)

    server.files, server.wrong["/a.tif"] = {"/a.tif": b"II*\0"}, dawdle
    begun = time.monotonic()
    assert "no answer in time" in refused(server)
    assert time.monotonic() - begun < 10


def test_nothing_is_awaited_once_it_is_closed(server, tmp_path):
    """Ctrl-C while an answer is on its way: the connection is broken off before its thread is joined."""
    content = cog(
        tmp_path / "a.tif", np.random.default_rng(0).integers(0, 255, (3, 900, 900), np.uint8)
    ).read_bytes()
    server.files["/a.tif"] = content
    held = threading.Event()
    with remote.opened([Source(Path(f"{server.url}/a.tif"))], READ, True) as (source,):
        image = raster.inspect(source, READ)

        def hold(handler, part, content):
            held.set()
            time.sleep(8)

        server.wrong["/a.tif"] = hold
        file = remote._open[source.path]
        waiting = threading.Thread(
            target=lambda: pytest.raises(InputError, remote.bring, image.path, [1], Window(600, 600, 50, 50))
        )
        waiting.start()
        assert held.wait(5)
        begun = time.monotonic()
        file.close()
        assert time.monotonic() - begun < 5
        waiting.join()


def test_a_stopped_run_does_not_wait_for_a_host(server, tmp_path):
    """Ctrl-C is heard by one thread, and another one awaits an answer."""
    local = cog(tmp_path / "b.tif", scene(900)[None])
    server.files["/a.tif"] = cog(tmp_path / "a.tif", scene(900, 1)[None]).read_bytes()
    held = threading.Event()

    def hold(handler, part, content):
        held.set()
        time.sleep(8)

    def progress(stage, share):
        if share == 0.5:
            assert held.wait(5)
            raise KeyboardInterrupt

    given = [Source(local), Source(Path(f"{server.url}/a.tif"))]
    with remote.opened(given, READ, True) as (before, after):
        raster.inspect(after, READ)
        server.wrong["/a.tif"] = hold
        begun = time.monotonic()
        with (
            pytest.raises(KeyboardInterrupt),
            pipeline.open_scene(Case(before, after), from_dict({"workers": 2}), progress),
        ):
            pass
        assert time.monotonic() - begun < 7
    decoding.end_idle()
