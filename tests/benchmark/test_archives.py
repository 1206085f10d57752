"""Data sets in archives: the same data as unpacked, and nothing that an archive can do to the disk."""

import io
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pictures import open_pictures as opened
from pictures import save_pixels

from benchmark.datasets.base import DataError
from benchmark.datasets.reading import archives

Pictures = Path


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """train/ and test/ with two classes, eight pictures."""
    draw = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("happy", "sad"):
            for number in range(2):
                pixels = draw.integers(0, 256, (40, 40, 3), np.uint8)
                save_pixels(tmp_path / "faces" / split / name / f"{number}.png", pixels)
    return tmp_path / "faces"


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar", "xztar"])
def test_one_archive_of_everything_is_the_same_data(pictures: Pictures, tmp_path: Path, kind: str) -> None:
    expected = opened(pictures, tmp_path / "plain").fingerprint
    flat = Path(shutil.make_archive(str(tmp_path / "flat"), kind, pictures))
    nested = Path(shutil.make_archive(str(tmp_path / "nested"), kind, pictures.parent, "faces"))
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.write(flat, f"all/{flat.name}")
    inside = archives.unpack_archives("folder", tmp_path / "outer.zip", tmp_path / "root")
    assert (inside / "all" / "flat" / "train").is_dir()
    for path in (flat, nested):
        assert opened(path, tmp_path / f"root {path.stem}").fingerprint == expected


def test_a_folder_of_archives_keeps_their_places_and_the_lists_beside_them(pictures: Pictures, tmp_path: Path) -> None:
    expected = opened(pictures, tmp_path / "plain").fingerprint
    handed = tmp_path / "handed"
    for split in ("train", "test"):
        shutil.make_archive(str(handed / split), "gztar", pictures, split)
    (handed / "read_me.txt").write_text("how to cite")
    assert opened(handed, tmp_path / "root").fingerprint == expected
    (folder,) = (tmp_path / "root" / "unpacked").iterdir()
    assert (folder / "read_me.txt").read_text() == "how to cite" and not list(folder.rglob("*.gz"))
    before = folder.stat().st_mtime_ns
    assert opened(handed, tmp_path / "root").fingerprint == expected and folder.stat().st_mtime_ns == before


def test_an_archive_that_was_replaced_is_unpacked_anew(pictures: Pictures, tmp_path: Path) -> None:
    handed = Path(shutil.make_archive(str(tmp_path / "handed"), "zip", pictures))
    before = opened(handed, tmp_path / "root").fingerprint
    save_pixels(pictures / "train" / "happy" / "2.png", np.zeros((40, 40, 3), np.uint8))
    expected = opened(pictures, tmp_path / "plain").fingerprint
    shutil.make_archive(str(tmp_path / "handed"), "zip", pictures)
    assert opened(handed, tmp_path / "root").fingerprint == expected != before


def tar_of(path: Path, *members: tarfile.TarInfo, content: bytes = b"x") -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    return path


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([tarfile.TarInfo("../out.txt")], "leads outside"),
        ([tarfile.TarInfo("a/../../out.txt")], "leads outside"),
        ([tarfile.TarInfo("/tmp/out.txt")], "leads outside"),
        ([tarfile.TarInfo("bell\a.png")], "control character"),
        ([link("train", tarfile.SYMTYPE)], "a link or device"),
        ([link("train", tarfile.LNKTYPE)], "a link or device"),
        ([link("train", tarfile.CHRTYPE)], "a link or device"),
        ([tarfile.TarInfo("a.png"), tarfile.TarInfo("a.png")], "stands twice"),
        ([tarfile.TarInfo("a"), tarfile.TarInfo("a/b")], "cannot be unpacked|stands twice"),
    ],
)
def test_members_that_want_harm_are_refused(tmp_path: Path, members: list, words: str) -> None:
    path = tar_of(tmp_path / "bad.tar.gz", *members)
    with pytest.raises(DataError, match=words) as error:
        archives.unpack_archives("rafdb", path, tmp_path / "root")
    assert str(error.value).startswith("rafdb: bad.tar.gz") and "\n" not in str(error.value)
    assert not list((tmp_path / "root").rglob("*.png")) and not (tmp_path / "out.txt").exists()
    assert [p.name for p in (tmp_path / "root" / "unpacked").iterdir()] == []


def test_bombs_and_torn_archives_are_refused(tmp_path: Path) -> None:
    bomb = tar_of(tmp_path / "bomb.tar.gz", tarfile.TarInfo("zeros"), content=bytes(50_000_000))
    with pytest.raises(DataError, match="100 times its size"):
        archives.unpack_archives("rafdb", bomb, tmp_path / "root")
    noise = tar_of(tmp_path / "torn.tar.gz", tarfile.TarInfo("noise"), content=os.urandom(100_000))
    noise.write_bytes(noise.read_bytes()[:50_000])
    with pytest.raises(DataError, match=r"not a whole archive|cannot be unpacked"):
        archives.unpack_archives("rafdb", noise, tmp_path / "root")
    (tmp_path / "no.zip").write_text("no archive")
    with pytest.raises(DataError, match="not a whole archive"):
        archives.unpack_archives("rafdb", tmp_path / "no.zip", tmp_path / "root")
    assert not list((tmp_path / "root" / "unpacked").iterdir())
