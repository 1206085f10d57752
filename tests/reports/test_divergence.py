"""Table 2: votes alone, small records, and the figures of the whole of FERPlus."""

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from records import EIGHT, FINGERPRINT, cell, request, with_cells, with_runs, write_record

import reports
from reports.statistics import jensen_shannon
from reports.votes import image_kinds, one_hot_divergence, random_annotator_divergence, read_study, votes_to_shares

SHARED = Path(__file__).resolve().parent.parent.parent.parent / "shared"


@pytest.fixture(scope="module")
def ferplus_votes():
    """[28,558, 8] raw votes on the emotions, and [28,558] whether and as what the majority rule uses an image."""
    path = SHARED / "data" / "ferplus" / "FER2013Train.zip"
    if not path.is_file():
        pytest.skip("FERPlus is not beside the repository (shared/data/ferplus)")
    with zipfile.ZipFile(path) as archive:
        text = archive.read("FER2013Train/label.csv").decode()
    ten = np.array([[int(field) for field in row[2:12]] for row in csv.reader(io.StringIO(text))])
    counted = np.where(ten <= 1, 0, ten)
    top = counted.argmax(1)
    used = (counted.max(1) > counted.sum(1) / 2) & (top < 8)
    return ten[:, :8], np.where(used, top, -1)


def test_majority_labels_of_ferplus(ferplus_votes):
    votes, label = ferplus_votes
    used = label >= 0
    assert used.sum() == 25_045
    found = one_hot_divergence(votes[used], label[used])
    assert found.mean() == pytest.approx(0.1089, abs=1e-4)
    assert one_hot_divergence(votes[used], label[used], base=np.e).mean() == pytest.approx(0.0755, abs=1e-4)
    assert one_hot_divergence(votes[used], label[used], root=True).mean() == pytest.approx(0.2661, abs=1e-4)
    by_class = [found[label[used] == c].mean() for c in range(8)]
    assert np.mean(by_class) == pytest.approx(0.1558, abs=1e-4)


def test_one_random_annotator_of_ferplus(ferplus_votes):
    votes, label = ferplus_votes
    assert random_annotator_divergence(votes[label >= 0]).mean() == pytest.approx(0.1850, abs=1e-4)
    voted = votes[votes.sum(1) > 0]
    assert len(voted) == 28_556
    assert random_annotator_divergence(voted).mean() == pytest.approx(0.2157, abs=1e-4)


def test_one_hot_divergence_by_hand():
    votes = np.array([[10, 0, 0], [5, 5, 0]])
    assert one_hot_divergence(votes, np.array([0, 0])) == pytest.approx([0, 0.311278], abs=1e-6)
    assert one_hot_divergence(votes, np.array([1, 0])) == pytest.approx([1, 0.311278], abs=1e-6)
    assert random_annotator_divergence(votes) == pytest.approx([0, 0.311278], abs=1e-6)


def test_wrong_takes_precedence_over_ambiguous():
    votes = np.array([[5, 4, 1], [5, 4, 1], [6, 4, 0], [3, 7, 0], [5, 5, 0]])
    given = np.array([1, 0, 0, 0, 1])
    assert image_kinds(votes, given).tolist() == [0, 1, 2, 0, 1]
    assert image_kinds(votes_to_shares(votes), given).tolist() == [0, 1, 2, 0, 1]


def keep_data(folder, votes, name="ferplus", images=True):
    data = folder / "data" / f"{name}-{FINGERPRINT[:12]}"
    data.mkdir(parents=True)
    np.save(data / "train_votes.npy", votes.astype(np.float32))
    np.save(data / "train_names.npy", np.array([f"Train/{row}.png" for row in range(len(votes))]))
    if images:
        pixels = np.random.default_rng(0).integers(0, 255, (len(votes), 12, 12, 1), dtype=np.uint8)
        np.save(data / "train_images.npy", pixels)
    return data


def table2(folder, seeds=2):
    """60 images whose rows in the cache run backwards; LA-Net's distributions are people's, the baseline's are flat."""
    draw = np.random.default_rng(0)
    votes = draw.multinomial(10, np.full(8, 1 / 8), size=80)
    votes[:20] = 10 * np.eye(8, dtype=int)[draw.integers(8, size=20)]
    keep_data(folder, votes)
    rows = np.arange(60)[::-1]
    clean = votes[rows].argmax(1)
    cells = []
    for method, title in (("baseline", "Baseline"), ("lanet", "LA-Net")):
        distribution = np.full((60, 8), 1 / 8) if method == "baseline" else votes_to_shares(votes[rows])
        ids = []
        for seed in range(seeds):
            given = np.where(np.arange(60) % 8 == seed, (clean + 1) % 8, clean)
            arrays = {
                "train_rows": rows.astype(np.int32),
                "given": given.astype(np.uint8),
                "clean": clean.astype(np.uint8),
                "distribution": distribution.astype(np.float16),
            }
            ids.append(
                write_record(
                    folder, method=method, dataset="ferplus", noise="votes", rate=None, seed=seed, arrays=arrays
                )
            )
        cells.append(cell(title, method, "ferplus", None, ids, noise="votes"))
    return request("table", "2", cells), votes[rows], clean


def rows_of(folder):
    return list(csv.DictReader(io.StringIO((folder / "out" / "table2.csv").read_text())))


def test_table_2_agrees_with_a_loop_by_hand(tmp_path):
    what, votes, clean = table2(tmp_path)
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(what)
    found = {(row["row"], row["images_of"]): row for row in rows_of(tmp_path)}
    one_hot, kinds = [], []
    for seed in (0, 1):
        given = np.where(np.arange(60) % 8 == seed, (clean + 1) % 8, clean)
        kinds.append(image_kinds(votes, given))
        one_hot.append([jensen_shannon(votes[i] / votes[i].sum(), np.eye(8)[given[i]]) for i in range(60)])
    expected = np.mean(one_hot)
    assert float(found["One-hot given label", "all"]["mean"]) == pytest.approx(expected, abs=1e-6)
    assert float(found["LA-Net: label distribution", "all"]["mean"]) == pytest.approx(0, abs=1e-4)
    flat = np.mean([jensen_shannon(votes[i] / votes[i].sum(), np.full(8, 1 / 8)) for i in range(60)])
    assert float(found["Baseline: softmax (control)", "all"]["mean"]) == pytest.approx(flat, abs=1e-4)
    of_class = np.mean(one_hot, axis=0)[clean == 2].mean()
    assert float(found["One-hot given label", "fear"]["mean"]) == pytest.approx(of_class, abs=1e-6)
    low, high = (float(found["One-hot given label", "all"][side]) for side in ("low", "high"))
    assert low < expected < high
    for number, kind in enumerate(("wrong", "ambiguous", "clear")):
        of_seeds = [np.array(values)[of_seed == number] for values, of_seed in zip(one_hot, kinds, strict=True)]
        row = found["One-hot given label", kind]
        assert float(row["mean"]) == pytest.approx(np.mean([values.mean() for values in of_seeds]), abs=1e-6)
        assert int(row["images"]) == round(np.mean([len(values) for values in of_seeds]))
    assert drawn.gaps == []
    text = (tmp_path / "out" / "table2.md").read_text()
    rows = {line.split("|")[1].strip(): line.split("|")[2:-1] for line in text.splitlines() if line.startswith("| ")}
    shown = [entry.strip() for entry in rows["One-hot given label"][1:]]
    assert len(shown) > 3 and all(re.fullmatch(r"0\.\d{4}", entry) for entry in shown)
    assert {"One-hot label", "LA-Net"} < rows.keys()  # as published
    for words in ("base 2", "0.2030", "0.0909", "(control)", "labels drawn from people's votes", "5 of ten"):
        assert words in text, words


def test_runs_are_compared_image_by_image_whatever_their_order(tmp_path):
    """One run kept its images in another order, another left five out: the table is of the rest, row by row."""
    what, votes, clean = table2(tmp_path, seeds=1)
    mixed, some = np.random.default_rng(5).permutation(60), np.arange(5, 60)
    for method, order in (("baseline", some), ("lanet", mixed)):
        arrays = {
            "train_rows": np.arange(60, dtype=np.int32)[::-1][order],
            "given": clean[order].astype(np.uint8),
            "clean": clean[order].astype(np.uint8),
            "distribution": votes_to_shares(votes[order]).astype(np.float16),
        }
        run = {"method": method, "dataset": "ferplus", "noise": "votes", "rate": None, "overrides": {"a": "b"}}
        what = with_runs(what, [write_record(tmp_path, arrays=arrays, **run)], method=method)
    reports.Report(tmp_path, tmp_path / "out").draw(what)
    found = {(row["row"], row["images_of"]): row for row in rows_of(tmp_path)}
    assert found["LA-Net: label distribution", "all"]["images"] == "55"
    assert float(found["LA-Net: label distribution", "all"]["mean"]) == pytest.approx(0, abs=1e-4)
    assert float(found["Baseline: softmax (control)", "all"]["mean"]) == pytest.approx(0, abs=1e-4)
    expected = one_hot_divergence(votes[some], clean[some]).mean()
    assert float(found["One-hot given label", "all"]["mean"]) == pytest.approx(expected, abs=1e-6)


def test_the_root_is_said_and_drawn(tmp_path):
    what, votes, clean = table2(tmp_path)
    reports.Report(tmp_path, tmp_path / "out", reports.Options(root=True)).draw(what)
    assert "distance (root of the divergence)" in (tmp_path / "out" / "table2.md").read_text()
    expected = np.mean(
        [one_hot_divergence(votes, np.where(np.arange(60) % 8 == s, (clean + 1) % 8, clean)) ** 0.5 for s in (0, 1)]
    )
    assert float(rows_of(tmp_path)[0]["mean"]) == pytest.approx(expected, abs=1e-6)


def test_the_logarithm_s_base_is_said_and_drawn(tmp_path):
    what, _, _ = table2(tmp_path)
    reports.Report(tmp_path, tmp_path / "out").draw(what)
    bits = float(rows_of(tmp_path)[0]["mean"])
    reports.Report(tmp_path, tmp_path / "out", reports.Options(log_base=np.e)).draw(what)
    assert float(rows_of(tmp_path)[0]["mean"]) == pytest.approx(bits * np.log(2), abs=2e-6)
    assert "divergence to base e" in (tmp_path / "out" / "table2.md").read_text()


def test_a_study_of_one_s_own_takes_the_place_of_the_votes(tmp_path):
    what, _, _ = table2(tmp_path)
    study = tmp_path / "study.csv"
    lines = [f"{row}.png," + ",".join("10" if c == "fear" else "0" for c in reversed(EIGHT)) for row in range(5)]
    study.write_text("\n".join(["image," + ",".join(reversed(EIGHT)), *lines]))
    reports.Report(tmp_path, tmp_path / "out", reports.Options(study=study)).draw(what)
    found = rows_of(tmp_path)
    assert found[0]["images"] == "5"
    assert float(next(row for row in found if row["row"].startswith("Baseline"))["mean"]) == pytest.approx(
        0.7169, abs=1e-3
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("image,anger\n1.png,3\n", "no column 'disgust'"),
        ("image," + ",".join(EIGHT) + "\nnobody.png" + ",1" * 8, "none of its images is a training image of ferplus"),
        (
            "image," + ",".join(EIGHT) + "\n1.png" + ",1" * 8 + "\nnobody.png" + ",1" * 8,
            "line 3: 'nobody.png' is no training image",
        ),
        ("image," + ",".join(EIGHT) + "\n1.png" + ",x" * 8, "line 2: a vote is not a number"),
        ("image," + ",".join(EIGHT) + "\n1.png" + ",-1" * 8, "line 2: votes must be 0 or more"),
        ("", "no column 'image'"),
        ("image;" + ";".join(EIGHT) + "\n1.png" + ";x" * 8, "line 2: a vote is not a number"),
        ("image," + ",".join(EIGHT) + ",anger\n1.png" + ",1" * 9, "2 columns 'anger'"),
        ("image," + ",".join(EIGHT) + "\n1.png" + ",0,5" * 8, "line 2: more cells than the first line has columns"),
    ],
)
def test_an_unusable_study_is_refused_in_one_line(tmp_path, text, complaint):
    what, _, _ = table2(tmp_path)
    study = tmp_path / "study.csv"
    study.write_text(text)
    with pytest.raises(reports.ReportError, match=complaint):
        reports.Report(tmp_path, tmp_path / "out", reports.Options(study=study)).draw(what)


def test_votes_of_a_study_go_to_the_image_that_it_names(tmp_path):
    study, names = tmp_path / "study.csv", np.array(["a.png", "x/a.png", "x/b.png", "y/c.png", "z/c.png"])

    def of(*lines: str) -> list[float]:
        study.write_text("\n".join(["image,yes,no", *lines]))
        return read_study(study, names, ["yes", "no"])[:, 0].tolist()

    assert of("a.png,3,1") == [3, 0, 0, 0, 0] and of("x/a.png,3,1") == [0, 3, 0, 0, 0]
    assert of("b.png,2,1") == [0, 0, 2, 0, 0]
    with pytest.raises(
        reports.ReportError, match=r"line 2: 'c.png' is the file name of several images; write whole names"
    ):
        of("c.png,2,1")
    with pytest.raises(reports.ReportError, match=r"line 3: 'b.png' stands twice"):
        of("x/b.png,2,1", "b.png,2,1")


def test_a_data_set_without_votes_is_said(tmp_path):
    ids = [write_record(tmp_path, method="lanet", noise="none", rate=None)]
    what = request("table", "2", [cell("LA-Net", "lanet", "rafdb", None, ids)])
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(what)
    assert "RAF-DB: no people's votes" in drawn.text
    assert (tmp_path / "out" / "table2.csv").read_text().startswith("row,method,dataset,")


def test_distributions_that_do_not_fit_are_left_out_and_said(tmp_path):
    what, _, _ = table2(tmp_path, seeds=1)
    bad = write_record(
        tmp_path,
        method="eac",
        dataset="ferplus",
        noise="votes",
        rate=None,
        arrays={
            "train_rows": np.array([0, 1, 500], np.int32),
            "given": np.zeros(3, np.uint8),
            "clean": np.zeros(3, np.uint8),
            "distribution": np.full((3, 8), 0.1, np.float16),
        },
    )
    what = with_cells(what, cell("EAC", "eac", "ferplus", None, [bad], noise="votes"))
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(what)
    assert any("lie outside the data set" in gap for gap in drawn.gaps)
    assert not any(row["row"].startswith("EAC") for row in rows_of(tmp_path))


def test_votes_stand_in_table_2_before_anything_is_trained(tmp_path):
    votes = np.array([[10, 0, 0], [5, 5, 0], [0, 0, 0], [0, 2, 8]])
    data = keep_data(tmp_path, votes, images=False)
    np.save(data / "train_labels.npy", np.array([0, 0, 1, 2]))
    card = {"title": "FERPlus", "classes": ["anger", "disgust", "fear"], "label_rule": "majority rule"}
    (data / "card.json").write_text(json.dumps(card))
    what = request("table", "2", [], data={"ferplus": data.name, "rafdb": "rafdb-000000000000"})
    drawn = reports.Report(tmp_path, tmp_path / "out").draw(what)
    last = jensen_shannon(np.array([0, 0.2, 0.8]), np.eye(3)[2])
    expected = (0 + 0.311278 + last) / 3
    assert "FERPlus: people's votes alone, majority rule, nothing trained" in drawn.text and "3 training" in drawn.text
    (one_hot, annotator) = rows_of(tmp_path)
    assert float(one_hot["mean"]) == pytest.approx(expected, abs=1e-6) and one_hot["images"] == "3"
    assert float(annotator["mean"]) > expected and annotator["base"] == "2"


def test_a_study_is_named_and_counts_its_own_annotators(tmp_path):
    what, _, _ = table2(tmp_path)
    study = tmp_path / "study.csv"
    study.write_text("image," + ",".join(EIGHT) + "\n1.png,0,0,0,0,0,0,0,30\n2.png,3,0,0,0,0,0,0,0\n")
    drawn = reports.Report(tmp_path, tmp_path / "out", reports.Options(study=study)).draw(what)
    assert "People: the study study.csv (sha256 " in drawn.text and "5 of ten" not in drawn.text
    assert {row["people"][:19] for row in rows_of(tmp_path)} == {"the study study.csv"}
    votes = np.array([[0, 30], [3, 0]])
    assert image_kinds(votes, np.array([1, 0]), study=True).tolist() == [2, 2]
    assert image_kinds(votes, np.array([1, 0])).tolist() == [2, 1]


def test_bold_goes_to_the_rows_that_none_is_nearer_than(tmp_path):
    what, _, _ = table2(tmp_path, seeds=5)
    reports.Report(tmp_path, tmp_path / "out").draw(what)
    text = (tmp_path / "out" / "table2.md").read_text()
    bold = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|") and "**0." in line]
    assert bold == ["LA-Net: label distribution"]
    flat = next(c.ids for c in what.cells if c.method == "baseline")
    reports.Report(tmp_path, tmp_path / "out").draw(
        with_runs(what, flat, method="lanet")
    )  # the same distributions twice
    assert (tmp_path / "out" / "table2.md").read_text().count("**0.") == 2
    few, _, _ = table2(tmp_path / "few", seeds=2)
    reports.Report(tmp_path / "few", tmp_path / "few" / "out").draw(few)
    assert "**0." not in (tmp_path / "few" / "out" / "table2.md").read_text()
