"""The cache: built once, whole or not at all, shared, and read again only when the source has changed."""

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.cache import build, decoded, lookup
from benchmark.datasets.base import DataError, DataSet, Rows, Source
from benchmark.datasets.reading.files import Folder, check_file_name
from noise.symmetric import Symmetric

ROOT = Path(__file__).parents[2]
FACE = np.random.default_rng(0).uniform(0, 0.5, (19, 2))


class Toy(DataSet):
    """Images named in a text file; each is a constant that the file gives."""

    name, title, size, channels = "toy", "Toy", 8, 1

    @dataclass(frozen=True)
    class Options:
        shift: int = 0

    reads: ClassVar[list[Path]] = []
    side, identity, landmarks, delay = 8, None, None, 0.0

    def read(self, path: Path, options: Options) -> Source:
        self.reads.append(path)
        lines = [line.split() for line in path.read_text().splitlines()]
        parts = [self.rows([line for line in lines if line[0] == split], options) for split in ("train", "test")]
        facts = {"label_rule": "toy", "licence": "none"}
        return Source(("yes", "no"), *parts, facts, {"too dark": ["x"]}, ["a warning"], self.identity)

    def rows(self, lines: list[list[str]], options: Options) -> Rows:
        def image(row: int) -> np.ndarray:
            time.sleep(self.delay)
            if lines[row][3] == "bad":
                raise DataError(f"toy: {lines[row][1]}: not a picture")
            return np.full((self.side, self.side), int(lines[row][3]) + options.shift, np.uint8)

        names, labels = [line[1] for line in lines], np.array([int(line[2]) for line in lines])
        votes = np.array([[3, 1]] * len(lines), np.float32)
        points = (
            None
            if self.landmarks is None
            else np.float32(self.landmarks + FACE) * np.ones((len(lines), 1, 1), np.float32)
        )
        return Rows(names, labels, image, votes, points)

    def stamp(self, path: Path, options: Options) -> list[tuple[str, int, int]]:
        seen = path.stat()
        return [(path.name, seen.st_size, seen.st_mtime_ns)]


LINES = ["train b 1 20", "train a 0 10", "train c 0 30", "test e 1 50", "test d 0 40"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    Toy.reads.clear()
    path = tmp_path / "source.txt"
    path.write_text("\n".join(LINES))
    return path


def opened(source: Path, root: Path, toy: type[Toy] = Toy, progress=None, **options) -> decoded.Data:
    return lookup.open_data(toy(), source, toy.Options(**options), root, progress)


def test_arrays_are_stored_in_the_order_of_names(source: Path, tmp_path: Path):
    data = opened(source, tmp_path / "root")
    assert (data.name, data.title, data.classes) == ("toy", "Toy", ("yes", "no"))
    assert data.train.names.tolist() == ["a", "b", "c"] and data.test.names.tolist() == ["d", "e"]
    assert data.train.labels.tolist() == [0, 1, 0] and data.train.labels.dtype == np.int64
    assert data.train.images[:, 0, 0, 0].tolist() == [10, 20, 30] and data.train.images.dtype == np.uint8
    assert data.test.votes.tolist() == [[3, 1], [3, 1]] and data.test.landmarks is None
    assert data.folder == tmp_path / "root" / f"toy-{data.fingerprint[:12]}" and data.landmark_fingerprint is None
    with pytest.raises(ValueError, match=r"read-only"):
        data.train.labels[0] = 1
    data.train.images[0] = 0  # the memory of who writes, not the file
    assert opened(source, tmp_path / "root").train.images[:, 0, 0, 0].tolist() == [10, 20, 30]


def test_the_card_says_what_it_is(source: Path, tmp_path: Path):
    data = opened(source, tmp_path / "root", shift=1)
    card = json.loads((data.folder / "card.json").read_text())
    assert card == data.info and card["options"] == {"shift": 1} and card["label_rule"] == "toy"
    assert card["counts"] == {"train": {"yes": 2, "no": 1}, "test": {"yes": 1, "no": 1}}
    assert card["dropped"] == {"too dark": {"count": 1, "names": ["x"]}} and card["warnings"] == ["a warning"]
    assert len(data.info_hash) == 64


def test_a_second_open_reads_nothing(source: Path, tmp_path: Path):
    first = opened(source, tmp_path / "root")
    start = time.perf_counter()
    again = opened(source, tmp_path / "root")
    assert time.perf_counter() - start < 0.2
    assert len(Toy.reads) == 1 and again.fingerprint == first.fingerprint


def test_a_changed_source_or_option_is_read_again(source: Path, tmp_path: Path):
    first = opened(source, tmp_path / "root")
    source.write_text("\n".join(LINES).replace("a 0 10", "a 0 11"))
    changed = opened(source, tmp_path / "root")
    shifted = opened(source, tmp_path / "root", shift=2)
    assert len({first.fingerprint, changed.fingerprint, shifted.fingerprint}) == 3 and len(Toy.reads) == 3
    assert first.train.images[0, 0, 0, 0] == 10, "the first one stays as it was"

    class Newer(Toy):
        version = 2

    opened(source, tmp_path / "root", Newer)
    assert len(Toy.reads) == 4


def test_a_touched_source_is_read_again_into_the_same_folder(source: Path, tmp_path: Path):
    first = opened(source, tmp_path / "root")
    os.utime(source, ns=(1, 1))
    assert opened(source, tmp_path / "root").folder == first.folder and len(Toy.reads) == 2
    assert [path.name for path in (tmp_path / "root").glob("[.t]*-*")] == [first.folder.name]


@pytest.mark.parametrize(
    ("old", "new"),
    [("a 0 10", "a 0 11"), ("a 0 10", "a 1 10"), ("train a", "train z"), ("test d 0 40", "test d 1 40")],
)
def test_the_fingerprint_hangs_on_pixels_labels_and_names(source: Path, tmp_path: Path, old: str, new: str):
    first = opened(source, tmp_path / "root").fingerprint
    source.write_text("\n".join(LINES).replace(old, new))
    assert opened(source, tmp_path / "other").fingerprint != first


def test_the_fingerprint_hangs_on_votes_that_leave_the_labels_as_they_are(source: Path, tmp_path: Path):
    class Recounted(Toy):
        def rows(self, lines: list[list[str]], options: Toy.Options) -> Rows:
            rows = super().rows(lines, options)
            rows.votes[-1] = (4, 0)
            return rows

    first, other = opened(source, tmp_path / "root"), opened(source, tmp_path / "other", Recounted)
    assert first.train.labels.tolist() == other.train.labels.tolist()
    assert first.fingerprint != other.fingerprint


def test_the_fingerprint_hangs_on_the_rule_that_made_the_labels(source: Path, tmp_path: Path):
    class Agreed(Toy):
        def read(self, path: Path, options: Toy.Options) -> Source:
            read_source = super().read(path, options)
            return replace(read_source, facts=read_source.facts | {"label_rule": "two agree"})

    first, other = opened(source, tmp_path / "root"), opened(source, tmp_path / "other", Agreed)
    assert first.train.labels.tolist() == other.train.labels.tolist()
    assert first.fingerprint != other.fingerprint


def test_a_noise_is_told_the_data_set_and_the_names_of_its_rows(source: Path, tmp_path: Path):
    given = opened(source, tmp_path / "root").noise_input(Symmetric(), np.array([2, 0]))
    assert given.dataset == "toy" and given.names.tolist() == ["c", "a"] and given.labels.tolist() == [0, 0]


def test_the_fingerprint_does_not_hang_on_path_or_order(source: Path, tmp_path: Path):
    first = opened(source, tmp_path / "root").fingerprint
    moved = tmp_path / "moved.txt"
    moved.write_text("\n".join(reversed(LINES)))
    assert opened(moved, tmp_path / "other").fingerprint == first


def test_an_identity_stands_for_the_pixels(source: Path, tmp_path: Path):
    class Drawn(Toy):
        identity = "drawn, version 1"

    class Redrawn(Toy):
        identity = "drawn, version 2"

    plain = opened(source, tmp_path / "0").fingerprint
    drawn = opened(source, tmp_path / "1", Drawn).fingerprint
    assert opened(source, tmp_path / "2", Drawn, shift=1).fingerprint == drawn != plain
    assert opened(source, tmp_path / "3", Redrawn).fingerprint != drawn


def test_landmarks_have_a_fingerprint_and_a_folder_of_their_own(source: Path, tmp_path: Path):
    class Marked(Toy):
        landmarks, version = 0.5, 2

    class Remarked(Toy):
        landmarks, version = 0.25, 3

    found = [opened(source, tmp_path / "root", toy) for toy in (Toy, Marked, Remarked)]
    assert len({data.fingerprint for data in found}) == 1
    assert len({data.landmark_fingerprint for data in found}) == len({data.folder for data in found}) == 3
    again = [opened(source, tmp_path / "root", toy) for toy in (Toy, Marked, Remarked)]
    assert len(Toy.reads) == 3 and [data.folder for data in again] == [data.folder for data in found]
    assert again[0].train.landmarks is None and (again[1].train.landmarks == np.float32(0.5 + FACE)).all()
    assert (again[2].test.landmarks == np.float32(0.25 + FACE)).all()


def test_progress_counts_every_image(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "IMAGES_PER_REPORT", 2)
    seen = []
    opened(source, tmp_path / "root", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize(("side", "size"), [(16, 8), (5, 8)])
def test_other_sizes_are_resized(source: Path, tmp_path: Path, side: int, size: int):
    class Sized(Toy):
        pass

    Sized.side = side
    data = opened(source, tmp_path / "root", Sized)
    assert data.train.images.shape == (3, size, size, 1) and (data.train.images[0] == 10).all()


def test_shrinking_averages_and_colours_are_converted():
    board = np.indices((16, 16)).sum(0) % 2 * 255
    assert np.abs(build.resize_image(board.astype(np.uint8), 8, 1).astype(int) - 127.5).max() <= 0.5
    colour = np.zeros((4, 4, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    assert (build.resize_image(colour, 4, 1) == 76).all() and build.resize_image(colour[..., 0], 4, 3).shape == (
        4,
        4,
        3,
    )
    with pytest.raises(DataError, match=r"expected uint8"):
        build.resize_image(colour.astype(float), 4, 3)


def test_unusable_images_end_in_one_error_and_no_folder(source: Path, tmp_path: Path):
    source.write_text("\n".join(["train t 1 1", "test d 0 40"] + [f"train n{i} 0 bad" for i in range(7)]))
    with pytest.raises(DataError, match=r"^toy: 7 images cannot be used: n0: not a picture, .*n4.* and 2 more"):
        opened(source, tmp_path / "root")
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["stamps"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["train a 0 1"], "toy: test: no image is left to use"),
        (["train a 0 1", "train a 0 1", "test b 0 1"], "toy: train: names that stand twice: a"),
        (["train a 2 1", "test b 0 1"], "toy: train: labels are not 1 numbers from 0 to 1"),
    ],
)
def test_rows_that_do_not_fit_are_refused(source: Path, tmp_path: Path, lines: list[str], message: str):
    source.write_text("\n".join(lines))
    with pytest.raises(DataError, match=message):
        opened(source, tmp_path / "root")


def test_a_cache_that_cannot_be_opened_now_is_not_called_damaged(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(source, tmp_path / "root")

    def no_more(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(decoded.np, "load", no_more)
    with pytest.raises(DataError, match=r"cannot be read now \(Too many open files\); it may be whole"):
        decoded.open_decoded(first.folder)


def test_nor_is_it_built_again_and_removed(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened(source, tmp_path / "root")

    def no_more(folder: Path) -> None:
        raise decoded.Unreadable(f"{folder}: cannot be read now")

    monkeypatch.setattr(lookup, "open_decoded", no_more)
    with pytest.raises(DataError, match="cannot be read now"):
        opened(source, tmp_path / "root")
    assert len(Toy.reads) == 1
    aside = tmp_path / "root" / ".building-elsewhere"
    aside.mkdir()
    monkeypatch.setattr(build, "open_decoded", no_more)
    with pytest.raises(DataError, match="cannot be read now"):
        build.move_into_place(aside, tmp_path / "root", first.info)
    assert (first.folder / "card.json").exists() and (first.folder / "train_images.npy").exists()


@pytest.mark.parametrize("file", ["card.json", "train_images.npy", "test_labels.npy", "train_votes.npy"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_cache_is_noticed_and_built_again(source: Path, tmp_path: Path, file: str, damage: str):
    first = opened(source, tmp_path / "root")
    path = first.folder / file
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-8])
    else:
        path.unlink()
    with pytest.raises(DataError, match=r"not a whole decoded data set.*remove the folder"):
        decoded.open_decoded(first.folder)
    again = opened(source, tmp_path / "root")
    assert again.folder == first.folder and again.train.images[1, 0, 0, 0] == 20 and len(Toy.reads) == 2
    assert {path.name for path in (tmp_path / "root").iterdir()} == {first.folder.name, "stamps"}


def test_a_broken_stamp_is_not_trusted(source: Path, tmp_path: Path):
    first = opened(source, tmp_path / "root")
    (stamp,) = (tmp_path / "root" / "stamps").glob("*.json")
    for content in ("", "[]", '{"folder": "../../elsewhere"}', '{"folder": 3}'):
        stamp.write_text(content)
        assert opened(source, tmp_path / "root").fingerprint == first.fingerprint


class Slow(Toy):
    delay = 0.05


def build_slowly(source: Path, root: Path, start, found) -> None:
    start.wait()
    found.put(str(opened(source, root, Slow).folder))


def test_two_builders_at_once_end_with_one_cache(source: Path, tmp_path: Path):
    context = multiprocessing.get_context("fork")
    start, found = context.Barrier(2), context.Queue()
    workers = [context.Process(target=build_slowly, args=(source, tmp_path / "root", start, found)) for _ in range(2)]
    for worker in workers:
        worker.start()
    folders = {found.get(timeout=30) for _ in workers}
    for worker in workers:
        worker.join()
    assert len(folders) == 1
    assert {path.name for path in (tmp_path / "root").iterdir()} == {Path(*folders).name, "stamps"}
    assert decoded.open_decoded(Path(*folders)).train.images[:, 0, 0, 0].tolist() == [10, 20, 30]


class Endless(Toy):
    delay = 60.0


def test_a_killed_build_leaves_no_cache_and_is_cleared_away(source: Path, tmp_path: Path):
    worker = multiprocessing.get_context("fork").Process(target=opened, args=(source, tmp_path / "root", Endless))
    worker.start()
    deadline = time.monotonic() + 20
    while not list((tmp_path / "root").glob(".building-*/train_images.npy")) and time.monotonic() < deadline:
        time.sleep(0.02)
    worker.kill()
    worker.join()
    left = sorted(path.name for path in (tmp_path / "root").iterdir())
    assert len(left) == 2 and left[0].startswith(".building-") and left[1] == "stamps"
    folder = opened(source, tmp_path / "root").folder
    assert {path.name for path in (tmp_path / "root").iterdir()} == {folder.name, "stamps"}


def test_a_build_in_progress_is_not_cleared_away(source: Path, tmp_path: Path):
    (tmp_path / "root").mkdir()
    other = tmp_path / "root" / f".building-{build.socket.gethostname()}-{os.getpid()}-x"
    other.mkdir()
    opened(source, tmp_path / "root")
    assert other.is_dir()


def test_a_full_disk_is_said_before_decoding(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 5})())
    with pytest.raises(DataError, match=r"MB needed, 0\.0 MB free"):
        opened(source, tmp_path / "root")


def test_importing_the_cache_imports_neither_torch_nor_cv2():
    code = "import sys, benchmark.cache.lookup; print(sorted({'torch', 'cv2', 'PIL'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab./\\:\0\x1b\u202eé", max_size=8))
def test_safe_names_stay_inside(name: str):
    try:
        kept = check_file_name(name, "x")
    except DataError as error:
        assert str(error).isprintable()
    else:
        assert Path(os.path.normpath(Path("/data") / kept)).is_relative_to("/data")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"toy: .*/gone\.txt: cannot be read \(No such file"):
        Folder("toy", tmp_path).read("gone.txt")
