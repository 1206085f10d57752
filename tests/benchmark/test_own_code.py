"""Readers and noises of one's own: what they make is known by their code, the project's by their versions."""

import re
from pathlib import Path

import numpy as np
import pytest

from benchmark import plugins, source_code
from benchmark.cache.lookup import open_data
from benchmark.commands.arguments import read_request
from benchmark.commands.options import parser
from benchmark.datasets.base import DataError
from benchmark.plan.matrix import make_plan
from results.job import Job

DOCS = Path(__file__).parents[2] / "docs"


def written(page: str, folder: Path, *changes: tuple[str, str]) -> Path:
    """The example of a page of the docs, edited, in a folder of its own."""
    text = next(b for b in re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.S) if "class " in b)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    folder.mkdir()
    (folder / "own.py").write_text(text)
    return folder


@pytest.fixture
def striped(tmp_path: Path) -> Path:
    labels = np.arange(40) % 2
    images = np.random.default_rng(0).integers(0, 256, (40, 48, 48)).astype(np.uint8)
    np.savez(tmp_path / "striped.npz", images=images, labels=labels, test=np.arange(40) % 4 < 2)
    return tmp_path / "striped.npz"


def test_an_edited_reader_is_read_again_and_its_old_images_are_not_used(tmp_path: Path, striped: Path) -> None:
    edits = [
        [],
        [("n, r=r: held", "n, r=r: 255 - held")],
        [('"disgust"', '"fear"')],
        [('"""Striped: ', '"""Other words: ')],
    ]
    folders = [written("new-data-set.md", tmp_path / str(n), *changes) for n, changes in enumerate(edits)]
    sets = [plugins.find_data_sets([folder])["striped"]() for folder in folders]
    first, inverted, renamed, worded = (open_data(s, striped, s.Options(), tmp_path / "data") for s in sets)
    assert (inverted.train.images == 255 - first.train.images).all() and inverted.fingerprint != first.fingerprint
    assert renamed.classes == ("anger", "fear") and renamed.fingerprint != first.fingerprint
    assert worded.folder == first.folder  # another docstring is no other reader


def test_hashes_given_by_an_edited_reader_do_not_hide_other_pixels(tmp_path: Path, striped: Path) -> None:
    given = ("n, r=r: held", "n, r=r: 0 + held"), ("[r[n]])\n", '[r[n]], pixels=[f"{i}" for i in r])\n')
    plain = written("new-data-set.md", tmp_path / "a", *given)
    edited = written("new-data-set.md", tmp_path / "b", *given, ("0 + held", "255 - held"))
    sets = [plugins.find_data_sets([folder])["striped"]() for folder in (plain, edited)]
    one, two = (open_data(s, striped, s.Options(), tmp_path / "data") for s in sets)
    assert (two.train.images == 255 - one.train.images).all()


def jobs(tmp_path: Path, noise: str, *arguments: str) -> list[Job]:
    words = ["--table", "1", "--methods", "baseline", "--seeds", "0", "--rates", "0.1", "--noise", noise, *arguments]
    words += ["--set", "faces.train=200", "--set", "faces.test=100", "--results", str(tmp_path / "runs")]
    return [run.job for run in make_plan(read_request(parser().parse_args(words))).runs()]


def test_an_edited_noise_makes_another_job_and_the_projects_own_are_named_as_before(tmp_path: Path) -> None:
    one = written("new-noise.md", tmp_path / "a")
    two = written("new-noise.md", tmp_path / "b", ("(-1, 1)", "(1, 2)"))
    (first,), (second,) = (jobs(tmp_path, "neighbours", "--methods-path", str(f)) for f in (one, two))
    assert first.id != second.id and first.noise["code"] != second.noise["code"]
    (known,) = jobs(tmp_path, "symmetric")
    assert known.noise == {"kind": "symmetric", "rate": "0.1", "version": 1}


def test_helpers_beside_a_reader_count_and_the_projects_files_do_not(tmp_path: Path) -> None:
    codes = []
    for name, text in (("a", "SIDE = 1\n"), ("b", "SIDE = 2\n")):
        folder = written(
            "new-data-set.md", tmp_path / name, ("import numpy as np", "import numpy as np\nimport helper")
        )
        (folder / "helper.py").write_text(text)
        (cls,) = (c for n, c in plugins.find_data_sets([folder]).items() if n == "striped")
        codes.append(source_code.hash_own_code(cls))
    assert codes[0] != codes[1]
    assert all(source_code.hash_own_code(cls) is None for cls in plugins.find_data_sets().values())
    assert all(source_code.hash_own_code(cls) is None for cls in plugins.find_noises().values())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("from helper import dark as shade", "from helper import light as shade"),
        ("GAIN = 1\nGAIN = 2", "GAIN = 2\nGAIN = 1"),
    ],
)
def test_what_is_imported_under_a_name_and_the_order_of_statements_count(tmp_path: Path, one: str, other: str) -> None:
    codes = []
    for name, text in (("a", one), ("b", other)):
        folder = written("new-data-set.md", tmp_path / name, ("import numpy as np", f"import numpy as np\n\n{text}"))
        (folder / "helper.py").write_text("dark, light = 1, 2\n")
        codes.append(source_code.hash_own_code(plugins.find_data_sets([folder])["striped"]))
    assert codes[0] != codes[1]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'held["labels"][r].astype(np.int64)',
            'held["labels"][r].tolist()',
            "train: labels are a list, expected a numpy array",
        ),
        (
            "astype(np.int64)",
            "astype(float)",
            "train: labels are float64 numbers, expected a numpy array of whole numbers",
        ),
        ('[f"{i:06d}" for i in r]', "list(range(len(r)))", "train: names are not all text: 0, 1"),
        ("rows = [", "held['absent']; rows = [", r"read: KeyError: 'absent' \(own.py, line 2\d\)"),
        ('["images"][r[n]]', '["images"][r[n] + 99]', r"image 000002: IndexError: .* \(own.py, line \d\d\)"),
        ("return Source(", "Source(", "read gives NoneType, expected a Source"),
        ('("anger", "disgust")', '("anger",)', "1 classes, expected 2 to 256"),
        ('("anger", "disgust")', r'("anger", "dis\tgust")', r"class name 'dis\\tgust': expected printable text"),
    ],
)
def test_a_readers_mistake_is_one_line(tmp_path: Path, striped: Path, old: str, new: str, words: str) -> None:
    dataset = plugins.find_data_sets([written("new-data-set.md", tmp_path / "own", (old, new))])["striped"]()
    with pytest.raises(DataError, match=f"^striped: {words}"):
        open_data(dataset, striped, dataset.Options(), tmp_path / "data")
