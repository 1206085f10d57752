"""The forms in which Kaggle hands out FER2013: the archive of its challenge, unpacked by hand, and the later CSV."""

import csv
import shutil
import tarfile
from pathlib import Path

from test_ferplus import VOTES, csv_pair

from benchmark.cache import decoded, lookup
from benchmark.datasets.ferplus import FERPlus


def kaggle(tmp_path: Path) -> tuple[Path, Path]:
    """The pair of CSVs side by side, and a folder for another form of it."""
    pair, other = tmp_path / "pair", tmp_path / "other"
    other.mkdir()
    csv_pair(pair, VOTES)
    shutil.copy(pair / "fer2013new.csv", other)
    return pair, other


def prepared(path: Path, tmp_path: Path) -> decoded.Data:
    return lookup.open_data(FERPlus(), path, FERPlus.Options(), tmp_path / "cache")


def test_kaggles_archive_its_folder_and_the_later_csv_are_the_same_data(tmp_path: Path) -> None:
    pair, other = kaggle(tmp_path)
    first = prepared(pair, tmp_path)
    (other / "fer2013").mkdir()
    shutil.copy(pair / "fer2013.csv", other / "fer2013")
    assert prepared(other, tmp_path).fingerprint == first.fingerprint
    with tarfile.open(other / "fer2013.tar.gz", "w:gz") as tar:
        tar.add(other / "fer2013" / "fer2013.csv", "fer2013/fer2013.csv")
    shutil.rmtree(other / "fer2013")
    assert prepared(other, tmp_path).fingerprint == first.fingerprint
    (other / "fer2013.tar.gz").unlink()
    with (pair / "fer2013.csv").open() as file, (other / "icml_face_data.csv").open("w", newline="") as out:
        rows = list(csv.reader(file))
        csv.writer(out).writerows([["emotion", " Usage", " pixels"], *([e, u, p] for e, p, u in rows[1:])])
    assert prepared(other, tmp_path).fingerprint == first.fingerprint
