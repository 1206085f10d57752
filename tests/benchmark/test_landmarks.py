"""`python -m benchmark landmarks`: points beside the data where the readers look, from a detector or another file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark import plugins
from benchmark.cache import landmark_detection
from benchmark.cache.lookup import open_data
from benchmark.commands import landmarks

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Six pictures of two classes."""
    for split, count in (("train", 4), ("test", 2)):
        for n in range(count):
            path = tmp_path / "own" / split / ("happy" if n % 2 else "sad") / f"{n}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng(n).integers(0, 256, (40, 40, 3), np.uint8)).save(path)
    return tmp_path / "own"


def run(own: Path, tmp_path: Path, *arguments: str) -> int:
    where = ["--results", str(tmp_path / "runs"), "--sheets", str(tmp_path / "sheets"), "--workers", "1"]
    return landmarks.main(["folder", "--data", f"folder={own}", *where, *arguments])


def kept(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "runs" / "landmarks").glob("folder-*.npz"))


def reread(own: Path, tmp_path: Path):
    dataset = plugins.find_data_sets()["folder"]()
    return open_data(dataset, own, dataset.Options(), tmp_path / "runs" / "data")


def test_points_made_elsewhere_are_imported_by_name(own: Path, tmp_path: Path) -> None:
    names = [f"train/sad/{n}.png" for n in (2, 0)] + ["nobody.png"]
    points = np.random.default_rng(0).uniform(0, 224, (3, 68, 2)).astype(np.float32)
    np.savez(tmp_path / "theirs.npz", names=np.array(names), xy=points, frame=224, confidence=np.array([1, 0.0, 1]))
    assert run(own, tmp_path, "--import", str(tmp_path / "theirs.npz")) == 0
    train = reread(own, tmp_path).train
    usable = dict(zip(train.names.tolist(), np.isfinite(train.landmarks).all((1, 2)).tolist()))
    assert [name for name, good in usable.items() if good] == ["train/sad/2.png"]
    row = train.names.tolist().index("train/sad/2.png")
    assert np.allclose(train.landmarks[row], points[0] / 224, atol=1e-5)
    assert (tmp_path / "sheets" / "folder_landmarks.png").exists()
    assert len(kept(tmp_path)) == 1 and not list(own.glob("*.npz"))  # nothing is written into the data's folder


def test_points_of_other_images_are_refused(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    np.savez(tmp_path / "theirs.npz", names=np.array(["nobody.png"]), xy=np.zeros((1, 68, 2), np.float32))
    assert run(own, tmp_path, "--import", str(tmp_path / "theirs.npz")) == 2
    assert "none of the images" in capsys.readouterr().err and not kept(tmp_path)


def points(own: Path, tmp_path: Path) -> str:
    names = [p.relative_to(own).as_posix() for p in sorted(own.rglob("*.png"))]
    xy = np.random.default_rng(0).uniform(0.2, 0.8, (len(names), 68, 2))
    np.savez(tmp_path / "theirs.npz", names=np.array(names), xy=xy)
    return str(tmp_path / "theirs.npz")


def test_points_that_are_there_are_not_overwritten(own: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(own, tmp_path, "--import", points(own, tmp_path)) == 0
    before = kept(tmp_path)[0].read_bytes()
    assert run(own, tmp_path) == 2
    assert "is there already" in capsys.readouterr().err and kept(tmp_path)[0].read_bytes() == before


def test_a_file_beside_the_data_is_read_and_counts_before_kept_points(own: Path, tmp_path: Path, capsys) -> None:
    theirs = points(own, tmp_path)
    assert run(own, tmp_path, "--import", theirs, "--out", str(own / landmarks.FILE)) == 0
    assert reread(own, tmp_path).train.usable_landmarks == 4
    assert run(own, tmp_path, "--import", theirs) == 2 and "has landmarks already" in capsys.readouterr().err


def test_a_file_that_no_run_would_find_is_said_to_be_that(own: Path, tmp_path: Path, capsys) -> None:
    assert run(own, tmp_path, "--import", points(own, tmp_path), "--out", str(tmp_path / "mine.npz")) == 0
    assert "runs do not look there" in capsys.readouterr().out and reread(own, tmp_path).train.landmarks is None


def test_writing_is_tried_before_the_work(own: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(landmarks, "detect_landmarks", None)  # no work is done
    (tmp_path / "full").write_bytes(b"")
    assert run(own, tmp_path, "--out", str(tmp_path / "full" / "points.npz")) == 2
    assert "choose a folder that can be written" in capsys.readouterr().err


def test_errors_are_mean_distances_over_the_eye_distance() -> None:
    reference = np.random.default_rng(0).uniform(0, 1, (2, 19, 2))
    reference[:, 7], reference[:, 10] = (0.2, 0.5), (0.7, 0.5)
    reference[1, 3] = np.nan
    found = landmarks.point_errors(reference + np.array([0.03, 0.04]), reference)
    assert found[0] == pytest.approx(0.05 / 0.5) and np.isnan(found[1])


def test_noise_has_no_face_and_is_flagged_and_work_goes_on_where_it_stopped(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dlib")
    assert run(own, tmp_path) == 0
    train = reread(own, tmp_path).train
    assert train.landmarks.shape == (4, 68, 2) and np.isnan(train.landmarks).all()
    (file,) = kept(tmp_path)
    with np.load(file) as held:
        assert held["status"].tolist() == [1] * 6 and ((held["xy"] > -1) & (held["xy"] < 2)).all()
    first = file.read_bytes()
    file.unlink()
    monkeypatch.setattr(landmark_detection, "detect_points", None)  # nothing is detected again
    monkeypatch.setattr(landmark_detection, "ProcessPoolExecutor", Pool)
    assert run(own, tmp_path) == 0 and file.read_bytes() == first


@pytest.mark.parametrize("channels", [1, 3])
def test_the_detector_sees_the_whole_picture_in_grey_and_in_colour(
    channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("dlib")
    _, predictor = landmark_detection.load_models()
    seen = []

    class Detector:
        def run(self, image: np.ndarray, *_: object) -> tuple[list, list, list]:
            seen.append(image)
            return [], [], []

    monkeypatch.setattr(landmark_detection, "MODELS", [Detector(), predictor])
    image = np.random.default_rng(0).integers(0, 256, (150, 150, channels), np.uint8)
    points, confidence = landmark_detection.detect_points(image)
    assert np.array_equal(seen[0], image[..., 0] if channels == 1 else image)
    assert points.shape == (68, 2) and confidence == landmark_detection.UNSEEN


class Pool:
    """Does the work in this process."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def submit(self, *_: object) -> None:
        raise AssertionError("work that was done is done again")


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not there")
def test_points_on_real_faces_are_near_the_known_ones(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("dlib")
    arguments = ["ferplus", "--data", f"ferplus={SHARED / 'ferplus-mini'}", "--out", str(tmp_path / "points.npz")]
    assert landmarks.main([*arguments, "--results", str(tmp_path / "runs"), "--sheets", str(tmp_path)]) == 0
    dataset = plugins.find_data_sets()["ferplus"]()
    data = open_data(dataset, SHARED / "ferplus-mini", dataset.Options(), tmp_path / "runs" / "data")
    with np.load(tmp_path / "points.npz") as held:
        good, points = held["status"] == 0, held["xy"]
    known = np.concatenate([data.train.landmarks, data.test.landmarks])
    assert np.nanmedian(landmarks.point_errors(points, known)[good]) <= 0.06 and 0.6 < good.mean() < 0.9
    assert "of the eye distance" in capsys.readouterr().out
