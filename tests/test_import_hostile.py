"""`--import` of what wants harm: nothing is written outside the results, nothing is unpacked that should not be."""

import hashlib
import io
import json
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from small_records import small_record

from benchmark.commands.import_records import import_records, main
from results.files import arrays_bytes
from results.job import Job
from results.schema import content_hash
from results.store import Store

ROOT = Path(__file__).resolve().parent.parent
ARRAYS = {"predictions": np.zeros((2, 5), np.uint8)}


def sound(seed: int = 0, arrays: bytes | None = None, **more) -> tuple[str, bytes, bytes]:
    """(id, json, npz) of a record that is what it says."""
    data, noise = {"name": "faces", "fingerprint": "f" * 20, "landmarks": None}, {"kind": "none", "rate": None}
    job = Job("baseline", 1, data, noise, seed, "fp32", "comparison", {"name": "demo", "version": 1}, "random")
    record = small_record(job)
    for name, section in more.items():
        record[name] = record[name] | section if isinstance(record.get(name), dict) else section
    arrays = arrays_bytes(ARRAYS) if arrays is None else arrays
    record["arrays"] = hashlib.sha256(arrays).hexdigest()
    record["hash"] = content_hash(record)
    return record["id"], json.dumps(record).encode(), arrays


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content, zipfile.ZIP_STORED if content[:2] == b"PK" else None)
    return path


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("prefix", ["../../", "/", "/etc/", "a/../../../", "C:\\..\\/", "..//./"])
def test_members_outside_the_archive_land_inside_the_results_or_nowhere(tmp_path: Path, prefix: str) -> None:
    job, text, arrays = sound()
    name = f"{prefix}{job[:2]}/{job}"
    members = {f"{name}.json": text, f"{name}.npz": arrays, "../../evil.json": b"{}", f"../{job[:2]}/evil.npz": b"x"}
    source = archive(tmp_path / "theirs.zip", members)
    import_records(source, tmp_path / "deep" / "er" / "runs")
    kept = {f"deep/er/runs/{job[:2]}/{job}.{suffix}" for suffix in ("json", "npz")}
    assert files(tmp_path) - {"theirs.zip"} <= kept
    assert not Path(f"/etc/{job[:2]}").exists()


def test_records_are_found_however_they_were_packed(tmp_path: Path) -> None:
    """With backslashes and a byte order mark, as some programs on Windows write them; all files in one folder."""
    job, text, arrays = sound()
    name = f"runs\\{job[:2]}\\{job}"
    packed = archive(tmp_path / "theirs.zip", {f"{name}.json": b"\xef\xbb\xbf" + text, f"{name}.npz": arrays})
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / f"{job}.json").write_bytes(text)
    (tmp_path / "flat" / f"{job}.npz").write_bytes(arrays)
    for place, source in (("ours", packed), ("mine", tmp_path / "flat")):
        assert "imported 1 record" in str(import_records(source, tmp_path / place))
        assert Store(tmp_path / place).done(job)


@pytest.mark.parametrize("pointer", [b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 468\n"])
def test_arrays_that_did_not_come_along_are_named_with_the_fix(tmp_path: Path, pointer: bytes) -> None:
    job, text, _ = sound()
    members = {f"{job[:2]}/{job}.json": text} | ({f"{job[:2]}/{job}.npz": pointer} if pointer else {})
    for name, content in members.items():
        (tmp_path / "theirs" / job[:2]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "theirs" / name).write_bytes(content)
    fix = (
        f"{job}.npz: a Git LFS pointer, not the arrays; run there: git lfs pull"
        if pointer
        else (f"{job}.json: its arrays, {job}.npz, are not beside it; copy them there too")
    )
    for source in (tmp_path / "theirs", archive(tmp_path / "theirs.zip", members)):
        assert str(import_records(source, tmp_path / "ours")).endswith(fix)


def test_a_folder_of_drawn_tables_is_not_called_an_import_of_nothing(tmp_path: Path, capsys) -> None:
    (tmp_path / "table1.csv").touch()
    assert main([str(tmp_path), "--results", str(tmp_path / "ours")]) == 2
    said = capsys.readouterr()
    assert said.out == "" and f"{tmp_path}: holds no records (ID.json with ID.npz" in said.err


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    job, text, arrays = sound()
    (tmp_path / "secret.json").write_bytes(text)
    folder = tmp_path / "theirs" / job[:2]
    folder.mkdir(parents=True)
    (folder / f"{job}.json").symlink_to(tmp_path / "secret.json")
    (folder / f"{job}.npz").write_bytes(arrays)
    assert "imported 0 records" in str(import_records(tmp_path / "theirs", tmp_path / "ours"))


def test_a_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    job, text, arrays = sound()
    zeros = b"[" + b" " * 220_000_000
    bomb = archive(tmp_path / "bomb.zip", {f"{job[:2]}/{job}.json": zeros, f"{job[:2]}/{job}.npz": arrays})
    assert bomb.stat().st_size < 2_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = str(import_records(bomb, tmp_path / "ours"))
    assert "imported 0 records" in said and "220,000,001 bytes" in said
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    arrays_bomb = archive(tmp_path / "b.zip", {f"{job[:2]}/{job}.json": text, f"{job[:2]}/{job}.npz": zeros})
    assert "imported 0 records" in str(import_records(arrays_bomb, tmp_path / "ours"))


def test_arrays_that_unpack_to_too_much_are_refused(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as npz, npz.open("predictions.npy", "w") as member:
        for _ in range(300):
            member.write(bytes(2**20))
    job, text, arrays = sound(arrays=content.getvalue())
    source = archive(tmp_path / "theirs.zip", {f"{job[:2]}/{job}.json": text, f"{job[:2]}/{job}.npz": arrays})
    said = str(import_records(source, tmp_path / "ours"))
    assert "imported 0 records" in said and "314,572,800 bytes" in said
    assert files(tmp_path / "ours") == set()


@pytest.mark.parametrize("arrays", [b"", b"not a zip", b"\x80\x04cos\nsystem\n(S'touch owned'\ntR."])
def test_arrays_that_are_no_archive_are_refused(tmp_path: Path, arrays: bytes) -> None:
    job, text, _ = sound(arrays=arrays)
    source = archive(tmp_path / "theirs.zip", {f"{job[:2]}/{job}.json": text, f"{job[:2]}/{job}.npz": arrays})
    assert "imported 0 records" in str(import_records(source, tmp_path / "ours"))
    assert files(tmp_path / "ours") == set()


def test_an_archive_whose_header_lies_is_refused(tmp_path: Path) -> None:
    job, text, arrays = sound()
    source = archive(tmp_path / "t.zip", {f"{job[:2]}/{job}.json": text, f"{job[:2]}/{job}.npz": arrays})
    whole = source.read_bytes()
    at = whole.index(b"PK\x01\x02")
    source.write_bytes(whole[: at + 24] + (7).to_bytes(4, "little") + whole[at + 28 :])  # its unpacked size
    assert "imported 0 records" in str(import_records(source, tmp_path / "ours"))
    source.write_bytes(whole[:60] + bytes(40) + whole[100:])
    assert "imported 0 records" in str(import_records(source, tmp_path / "ours"))


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"spec": NaN}', b"\xff", b"[]", b'{"spec": {}, "status": "ok", "id": 1e999}']
)
def test_absurd_json_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    job, _, arrays = sound()
    source = archive(tmp_path / "t.zip", {f"{job[:2]}/{job}.json": content, f"{job[:2]}/{job}.npz": arrays})
    said = str(import_records(source, tmp_path / "ours")).splitlines()
    assert said[0].startswith("imported 0 records") and len(said) == 2


def test_names_with_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    job, _, _ = sound()
    source = archive(tmp_path / "t.zip", {f"\x1b]0;evil\x07<b>\r\n\u202e/{job[:2]}/{job}.json": b"{"})
    command = [sys.executable, str(ROOT / "run_all.py"), "--import", str(source), "--results", str(tmp_path / "ours")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert "1 refused" in done.stdout and done.returncode == 2, done.stderr
    assert not {"\x1b", "\x07", "\r", "\u202e"} & set(done.stdout + done.stderr)
    assert len(done.stdout.splitlines()) == 2


def test_what_is_here_is_never_replaced_by_an_import(tmp_path: Path) -> None:
    job, text, arrays = sound(metrics={"last": 0.5})
    source = archive(tmp_path / "one.zip", {f"{job[:2]}/{job}.json": text, f"{job[:2]}/{job}.npz": arrays})
    assert "imported 1 record" in str(import_records(source, tmp_path / "ours"))
    _, other, _ = sound(metrics={"last": 0.99})
    source = archive(tmp_path / "two.zip", {f"{job[:2]}/{job}.json": other, f"{job[:2]}/{job}.npz": arrays})
    assert "imported 0 records, 1 here already" in str(import_records(source, tmp_path / "ours"))
    assert Store(tmp_path / "ours").read(job)["metrics"]["last"] == 0.5


def test_a_damaged_record_that_an_import_replaces_is_kept_aside_with_its_network(tmp_path: Path) -> None:
    job, text, arrays = sound()
    ours = Store(tmp_path / "ours")
    for suffix, content in ((".json", text + b"edited"), (".npz", b"ours"), (".safetensors", b"network")):
        path = ours.path(job).with_suffix(suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    source = archive(tmp_path / "one.zip", {f"{job[:2]}/{job}.json": text, f"{job[:2]}/{job}.npz": arrays})
    assert "imported 1 record" in str(import_records(source, tmp_path / "ours")) and ours.done(job)
    aside = {path.name.split(".")[1]: path.read_bytes() for path in ours.path(job).parent.glob("*.old")}
    assert aside == {"json": text + b"edited", "npz": b"ours", "safetensors": b"network"} and not ours.has_network(job)


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"times": {"total": "long"}}, "field 'times.total' is 'long', expected a number"),
        ({"metrics": {"last": 5}}, "field 'metrics.last' is 5, expected a number from 0 to 1"),
        ({"peak_memory": None}, "field 'peak_memory' is None"),
    ],
)
def test_a_record_that_drawing_could_not_use_is_refused(tmp_path: Path, more: dict, complaint: str) -> None:
    job, text, arrays = sound(**more)
    source = archive(tmp_path / "theirs.zip", {f"{job[:2]}/{job}.json": text, f"{job[:2]}/{job}.npz": arrays})
    assert complaint in str(import_records(source, tmp_path / "ours"))
