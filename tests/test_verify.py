"""What is changed, missing or added in a run is named; the custody log is chained; bundles repeat."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scenes
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rocrate.rocrate import ROCrate

from damagediff import (
    bundle,
    case_files,
    cli,
    crate,
    custody,
    digests,
    evidence,
    outputs,
    report,
    signatures,
    types,
    verify,
)
from damagediff.errors import EvidenceError, OutputError

STARTED = datetime(2024, 3, 1, 12, 30, 5, tzinfo=UTC)
PAGE = '<html><body class="a"><img src="data:image/jpeg;base64,AAAA"> words</body></html>'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A small run folder, sealed."""
    folder = tmp_path / "run"
    folder.mkdir()
    comparison = scenes.comparison()
    outputs.write_results(comparison, folder)
    report.write(comparison, folder)
    (folder / "figure.png").write_bytes(b"pixels")
    (folder / "change_mask.tif").write_bytes(b"measured")
    evidence.write_manifest(folder, comparison, ["damagediff", "compare", "b.tif", "a.tif"], STARTED)
    return folder


def named(folder: Path) -> set[str]:
    return {finding.name for finding in verify.run(folder).findings}


def invoke(*arguments: object):
    return CliRunner().invoke(cli.main, [str(argument) for argument in arguments])


def test_an_untouched_run_is_sound(run: Path) -> None:
    assert verify.run(run).findings == ()
    done = invoke("verify", run)
    assert done.exit_code == 0 and "agrees with its manifest" in done.output


@pytest.mark.parametrize("place", [0.0, 0.31, 0.77, 1.0])
def test_one_byte_flipped_anywhere_is_named(run: Path, place: float) -> None:
    files = [path for path in run.iterdir()]
    assert len(files) >= 8
    for path in files:
        good = path.read_bytes()
        data = bytearray(good)
        data[round(place * (len(data) - 1))] ^= 0x01
        path.write_bytes(data)
        try:
            found = named(run)
        except EvidenceError as error:
            assert path.name == "manifest.json" and "manifest.json" in str(error)
        else:
            assert path.name in found
            assert found <= {path.name, "SHA256SUMS", "manifest.json", crate.FILE}
        path.write_bytes(good)
    assert named(run) == set()


@given(seed=st.integers(0, 2**32 - 1))
def test_no_byte_of_a_manifest_can_be_changed_unseen(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    evidence.write_manifest(folder, scenes.comparison(), ["damagediff"], STARTED)
    data = bytearray((folder / "manifest.json").read_bytes())
    rng = np.random.default_rng(seed)
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    (folder / "manifest.json").write_bytes(data)
    try:
        assert "manifest.json" in named(folder)
    except EvidenceError as error:
        assert "manifest" in str(error)


def test_missing_and_added_files_are_named(run: Path) -> None:
    (run / "results.json").unlink()
    (run / "SHA256SUMS").unlink()
    (run / "notes.txt").write_text("mine")
    (run / "folder").mkdir()
    (run / "figure.png").unlink()
    (run / "figure.png").symlink_to(run / "report.html")
    assert named(run) == {"results.json", "SHA256SUMS", "notes.txt", "folder", "figure.png"}
    done = invoke("verify", run, "--json")
    assert done.exit_code == 5 and "Traceback" not in done.output
    told = json.loads(done.stdout)
    assert not told["sound"] and {item["name"] for item in told["findings"]} == named(run)


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "[]",
        "{",
        '{"format": 2}',
        '{"format": 1, "outputs": [{"name": "../x", "sha256": "", "bytes": 1}], "inputs": []}',
        '{"format": 1, "outputs": [{"name": 3}], "inputs": [], "evidence_id": ""}',
        "[" * 100_000,
    ],
    ids=["empty", "list", "cut", "other format", "leads out", "wrong kind", "deep"],
)
def test_what_is_no_manifest_is_told_in_one_line(run: Path, manifest: str) -> None:
    (run / "manifest.json").write_text(manifest)
    done = invoke("verify", run)
    assert done.exit_code == 5
    assert len(done.stderr.strip().splitlines()) == 1 and "Traceback" not in done.output


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        done = invoke("verify", path)
        assert done.exit_code == 5 and len(done.stderr.strip().splitlines()) == 1


def test_sums_are_those_of_sha256sum(run: Path) -> None:
    tool = shutil.which("sha256sum")
    if tool is None:
        pytest.skip("sha256sum is not installed")
    done = subprocess.run([tool, "-c", "SHA256SUMS"], cwd=run, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.count(": OK") == len(list(run.iterdir())) - 4


def test_the_crate_is_one_by_the_library(run: Path) -> None:
    found = ROCrate(run)
    assert found.root_dataset["identifier"] == verify.read_manifest(run)[0]["evidence_id"]
    files = {item.id for item in found.get_by_type("File")}
    listed = {item["name"] for item in verify.read_manifest(run)[0]["outputs"]}
    assert files == listed | {"manifest.json"} and all((run / name).is_file() for name in files)
    action = found.dereference("#run")
    assert {part.id for part in action["result"]} == files and action["instrument"]["name"] == "damagediff"
    said = json.loads((run / crate.FILE).read_text(encoding="utf-8"))["@graph"][0]
    assert said["conformsTo"]["@id"] == crate.PROFILE and said["about"]["@id"] == "./"


def test_each_act_is_chained_to_the_one_before(run: Path) -> None:
    custody.append(run, "exported", {"bundle": "x.zip"}, "A. B.")
    assert invoke("verify", run, "--operator", "C. D.").exit_code == 0
    lines = (run / "custody.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [(r["n"], r["act"], r.get("operator")) for r in records] == [
        (1, "created", None),
        (2, "exported", "A. B."),
        (3, "verified", "C. D."),
    ]
    assert custody.check(run) == []
    for k in range(3):
        (run / "custody.jsonl").write_text("\n".join(lines[:k] + lines[k + 1 :]) + "\n")
        assert bool(custody.check(run)) == (k < 2)  # the last one may be cut off: see docs/evidence.md
    edited = lines[1].replace("A. B.", "Z. Z.")
    (run / "custody.jsonl").write_text("\n".join([lines[0], edited, lines[2]]) + "\n")
    assert custody.check(run) == [
        "record 2 was changed",
        "record 3 does not follow from the one before it",
    ]
    with pytest.raises(EvidenceError, match="Nothing was added"):
        custody.append(run, "exported", {}, None)


def test_acts_at_once_follow_each_other(run: Path) -> None:
    """Two threads of one process open the log each on its own, as two processes do."""
    if os.name == "nt":
        pytest.skip("no lock there: the chain shows it")
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(custody.append, run, "verified", {"k": k}, None) for k in range(64)]:
            done.result()
    records = [json.loads(line) for line in (run / "custody.jsonl").read_text().splitlines()]
    assert custody.check(run) == [] and sorted(r["k"] for r in records[1:]) == list(range(64))


def test_a_manifest_that_was_sealed_anew_is_not_that_of_the_log(run: Path) -> None:
    """Whoever edits a manifest can compute its own hash again; the log names the hash that it had."""
    text = (run / "manifest.json").read_text(encoding="utf-8")
    edited = re.sub(
        r'("manifest_sha256": )"\w+"', rf'\1"{digests.NO_DIGEST}"', text.replace('"a.tif"', '"x.tif"')
    )
    (run / "manifest.json").write_text(digests.sealed(edited), encoding="utf-8")
    assert [(f.name, f.what) for f in verify.run(run).findings] == [
        ("manifest.json", "is another manifest than the one that the custody log names")
    ]


def test_the_crate_of_another_version_is_checked_by_its_hash(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crate, "text", lambda manifest: "made otherwise by a later version")
    assert named(run) == set()
    (run / crate.FILE).write_text("{}")
    assert named(run) == {crate.FILE}


def test_a_log_that_cannot_be_written_to_is_a_note(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OutputError("run/custody.jsonl: cannot write: Read-only file system")

    monkeypatch.setattr(custody, "append", refuse)
    done = invoke("verify", run)
    assert done.exit_code == 0 and "not written into the custody log" in done.output


def test_a_log_of_another_run_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    custody.begin(tmp_path / "other", {"sha256sums": "0" * 64}, None)
    shutil.copy(tmp_path / "other" / "custody.jsonl", run)
    assert [f.what for f in verify.run(run).findings] == [
        "begins with another run: its SHA256SUMS is another one"
    ]


def test_inputs_are_found_by_their_hash_whatever_their_name(tmp_path: Path) -> None:
    manifest = {
        "inputs": [
            {"field": "before.path", "name": "b.tif", **_hashed(b"before")},
            {"field": "after.path", "name": "a.tif", **_hashed(b"after")},
            {"field": "aoi", "name": "area.geojson", **_hashed(b"area")},
        ]
    }
    (tmp_path / "renamed.tif").write_bytes(b"before")
    (tmp_path / "a.tif").write_bytes(b"After")
    found, findings = verify.inputs(manifest, tmp_path)
    assert found == {"before.path": tmp_path / "renamed.tif"}
    assert [(f.name, "another file" in f.what) for f in findings] == [
        ("a.tif", True),
        ("area.geojson", False),
    ]


def _hashed(data: bytes) -> dict[str, object]:
    entry = digests.entry_of("", data)
    return {"sha256": entry["sha256"], "bytes": entry["bytes"]}


def test_a_bundle_has_the_same_bytes_whenever_it_is_made(run: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    bundle.write(run, first)
    for path in run.iterdir():
        path.touch()
    bundle.write(run, second)
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        bundle.write(run, second)
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "there")
    assert verify.run(tmp_path / "there" / "run").findings == ()
    assert "damagediff verify run" in (tmp_path / "there" / "README.txt").read_text()


def test_a_bundle_without_pictures_holds_none_and_verifies(run: Path, tmp_path: Path) -> None:
    left_out = bundle.write(run, tmp_path / "bare.zip", pixels=False)
    assert left_out == ["figure.png", "report.html", "report.pdf"]
    with zipfile.ZipFile(tmp_path / "bare.zip") as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "run"
    shutil.rmtree(folder)
    with zipfile.ZipFile(tmp_path / "bare.zip") as archive:
        archive.extractall(tmp_path)
    found = verify.run(folder)
    assert found.findings == () and "figure.png, report.html, report.pdf" in found.notes[0]
    page = (folder / verify.BARE_REPORT).read_text()
    assert "Pictures are left out" in page and "image/jpeg" not in page and "image/png" not in page
    (folder / verify.BARE_REPORT).write_text(page + " ")
    assert named(folder) == {verify.BARE_REPORT}
    (folder / "left_out.json").unlink()
    assert named(folder) == {"figure.png", "report.html", "report.pdf", verify.BARE_REPORT}


def test_no_list_of_what_was_left_out_hides_results_or_brings_in_a_file(run: Path) -> None:
    (run / "results.json").unlink()
    (run / "figure.png").unlink()
    (run / "report.html").write_text("nothing changed")
    entry = digests.entry(run / "report.html")
    said = {"left_out": ["results.json", "figure.png", "report.html"], "in_its_place": [entry]}
    (run / "left_out.json").write_text(json.dumps(said))
    assert named(run) == {"left_out.json", "report.html"}


def test_a_bundle_is_not_packed_into_the_run(run: Path) -> None:
    done = invoke("bundle", run, "-o", run / "x.zip")
    assert done.exit_code == 6 and "lies in the run" in done.stderr and not (run / "x.zip").exists()


@pytest.mark.parametrize("name", ["manifest.json", "custody.jsonl", "manifest.json.sig", "manifest.json.ots"])
@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_plain_file_is_told_and_not_waited_for(run: Path, name: str, kind: str) -> None:
    there = run.parent / name
    there.write_bytes((run / name).read_bytes() if (run / name).exists() else b"")
    (run / name).unlink(missing_ok=True)
    if kind == "pipe" and not hasattr(os, "mkfifo"):
        pytest.skip("no pipes here")
    {"link": lambda: (run / name).symlink_to(there), "folder": (run / name).mkdir}.get(
        kind, lambda: os.mkfifo(run / name)
    )()
    done = invoke("verify", run)
    assert done.exit_code == 5 and name in done.stderr and "is not a plain file" in done.stderr


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["outputs"][0].update(name="\ud800"),
        lambda said: said["outputs"][0].update(name="x" * 5000),
        lambda said: said.update(versions=[None]),
    ],
)
def test_a_manifest_of_odd_values_is_told_in_one_line(run: Path, change: Callable[[Any], None]) -> None:
    said = json.loads((run / "manifest.json").read_text())
    change(said)
    (run / "manifest.json").write_text(json.dumps(said))
    done = invoke("verify", run)
    assert done.exit_code == 5 and isinstance(done.exception, SystemExit)


def test_a_manifest_with_a_key_twice_is_not_read(run: Path) -> None:
    text = (run / "manifest.json").read_text()
    (run / "manifest.json").write_text(text.replace("{", '{"evidence_id": "0123456789ab",', 1))
    with pytest.raises(EvidenceError, match="a key is repeated"):
        verify.run(run)


def test_what_was_packed_is_written_into_the_log(run: Path, tmp_path: Path) -> None:
    assert invoke("bundle", run, "-o", tmp_path / "x.zip", "--operator", "A. B.").exit_code == 0
    record = json.loads((run / "custody.jsonl").read_text().splitlines()[-1])
    assert record["act"] == "exported" and record["operator"] == "A. B."
    assert record["bundle"] == digests.entry(tmp_path / "x.zip") | {"left_out": []}
    assert verify.run(run).sound


def test_pictures_are_taken_out_of_a_report() -> None:
    bare = bundle.without_pictures(PAGE)
    assert "AAAA" not in bare and "words" in bare and bare.count("pictures-left-out") == 1


def test_a_changed_run_is_not_bundled(run: Path, tmp_path: Path) -> None:
    (run / "figure.png").write_bytes(b"pixelz")
    done = invoke("bundle", run, "-o", tmp_path / "x.zip")
    assert done.exit_code == 5 and "figure.png: was changed" in done.stderr
    assert not (tmp_path / "x.zip").exists() and not list(tmp_path.glob(".x.zip*"))


def test_a_case_comes_back_from_the_manifest(tmp_path: Path) -> None:
    case = scenes.comparison().case
    files = dict(case_files.named(case))
    assert set(files) >= {"before.path", "after.path"}
    values = json.loads(json.dumps(case_files.to_values(case)))
    assert str(tmp_path) not in json.dumps(values)
    assert case_files.from_values(values, files) == case
    with pytest.raises(EvidenceError, match="cannot be read"):
        case_files.from_values(values | {"title": 3}, files)
    for odd in ({"aoi": "/etc/passwd"}, {"before": values["before"] | {"world_file": "//host/share/a.tfw"}}):
        with pytest.raises(EvidenceError, match="says itself where"):
            case_files.from_values(values | odd, files)


def test_every_file_of_a_case_has_a_role() -> None:
    path = Path("x")
    source = types.Source(path, world_file=path)
    case = types.Case(source, source, footprints=path, tie_points=path, exclude=path, aoi=path)
    roles = [case_files.role(field) for field, _ in case_files.named(case)]
    assert roles[:4] == ["before", "before world file", "after", "after world file"]
    assert set(roles[4:]) >= {"footprints", "tie points", "excluded places", "area of interest"}


def test_an_ssh_signature_beside_the_manifest_is_checked(run: Path, tmp_path: Path) -> None:
    tool = shutil.which("ssh-keygen")
    if tool is None:
        pytest.skip("ssh-keygen is not installed")
    key = tmp_path / "key"
    subprocess.run([tool, "-q", "-t", "ed25519", "-N", "", "-C", "x", "-f", str(key)], check=True)
    sign = [tool, "-Y", "sign", "-n", "damagediff", "-f", str(key), str(run / "manifest.json")]
    subprocess.run(sign, check=True, capture_output=True)
    found = verify.run(run)
    assert found.findings == () and any(
        "SSH signature of this manifest by key SHA256:" in n for n in found.notes
    )
    signers = tmp_path / "signers"
    public = (tmp_path / "key.pub").read_text().split()[:2]
    signers.write_text(f'me@example.org namespaces="damagediff" {" ".join(public)}\n')
    assert any("by me@example.org, key SHA256" in n for n in verify.run(run, [signers]).notes)
    assert invoke("verify", run, "--trust", signers).exit_code == 0
    signers.write_text(f'me@example.org namespaces="another" {" ".join(public)}\n')
    done = invoke("verify", run, "--trust", signers)
    assert done.exit_code == 5 and "whom --trust does not name" in done.stderr
    assert invoke("verify", run, "--trust", tmp_path / "nothing").exit_code == 5
    (run / "manifest.json.sig").write_text("not a signature")
    assert named(run) == {"manifest.json.sig"}


def test_whoever_names_whom_to_trust_wants_a_signature(run: Path, tmp_path: Path) -> None:
    signers, authority = tmp_path / "signers", tmp_path / "authority.pem"
    signers.write_text("me@example.org ssh-ed25519 AAAA\n")
    authority.write_text("-----BEGIN CERTIFICATE-----\n")
    assert verify.run(run).sound
    for path, kind in ((signers, "signature"), (authority, "time stamp")):
        (finding,) = verify.run(run, [path]).findings
        assert finding.name == "manifest.json" and f"has no {kind}" in finding.what
    stamped = [("manifest.json.tsr", signatures.State(True, "", True))]
    assert len(list(signatures.lacking(run, [signers, authority], stamped))) == 1  # a stamp is no signature
    earlier = [("manifest-000.json.sig", signatures.State(True, "", True))]
    assert list(signatures.lacking(run, [signers], earlier))


def test_a_minisign_signature_is_checked_with_its_key(run: Path, tmp_path: Path) -> None:
    tool = shutil.which("minisign")
    if tool is None:
        pytest.skip("minisign is not installed")
    secret, public, other = (str(tmp_path / name) for name in ("secret", "public", "other"))
    for key in (public, other):
        made = [tool, "-G", "-W", "-f", "-p", key, "-s", secret if key == public else str(tmp_path / "x")]
        subprocess.run(made, check=True, capture_output=True)
    sign = [tool, "-S", "-s", secret, "-m", str(run / "manifest.json")]
    subprocess.run(sign, check=True, capture_output=True)
    assert any("name the public key with --trust" in note for note in verify.run(run).notes)
    found = verify.run(run, [Path(public)])
    assert found.findings == () and any("by the key of public" in note for note in found.notes)
    assert [f.name for f in verify.run(run, [Path(other)]).findings] == ["manifest.json.minisig"]


AUTHORITY = """
[tsa]
default_tsa = one
[one]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
"""


def test_a_time_stamp_is_checked_by_its_authority(run: Path, tmp_path: Path) -> None:
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("openssl is not installed")

    def ask(words: str) -> None:
        subprocess.run([tool, *words.split()], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "tsa.cnf").write_text(AUTHORITY)
    (tmp_path / "serial").write_text("01\n")
    new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN="
    for name in ("tsa", "other"):
        use = "-addext extendedKeyUsage=critical,timeStamping -addext keyUsage=critical,digitalSignature"
        ask(f"{new}{name} {use} -keyout {name}.key -out {name}.pem")
    ask(f"ts -query -data {run}/manifest.json -sha256 -cert -out q.tsq")
    ask(f"ts -reply -config tsa.cnf -queryfile q.tsq -out {run}/manifest.json.tsr")
    assert any("name its authority's certificate" in note for note in verify.run(run).notes)
    found = verify.run(run, [tmp_path / "tsa.pem"])
    assert found.findings == () and any("by the authority of tsa.pem" in note for note in found.notes)
    wrong = verify.run(run, [tmp_path / "other.pem"]).findings
    assert [(f.name, f.what) for f in wrong] == [
        ("manifest.json.tsr", "is a time stamp by an authority whom --trust does not name")
    ]
    ask(f"ts -query -data {run}/SHA256SUMS -sha256 -cert -out q.tsq")
    ask(f"ts -reply -config tsa.cnf -queryfile q.tsq -out {run}/manifest.json.tsr")
    assert named(run) == {"manifest.json.tsr"}


def test_an_ots_proof_is_held_against_the_manifest(run: Path) -> None:
    digest = bytes.fromhex(digests.entry(run / "manifest.json")["sha256"])
    (run / "manifest.json.ots").write_bytes(signatures.OTS_HEAD + digest + b"\x00rest")
    assert verify.run(run).findings == ()
    (run / "manifest.json.ots").write_bytes(b"\x00OpenTimestamps" + digest)
    assert named(run) == {"manifest.json.ots"}


def test_what_is_no_proof_of_this_manifest_is_told(run: Path) -> None:
    (run / "manifest.json.ots").write_bytes(b"\x00OpenTimestamps of something else")
    assert named(run) == {"manifest.json.ots"}
