"""report.html: one file, nothing fetched, nothing of others executed, every number with its runs."""

import csv
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from records import cell, request, rewrite, table1, write_record
from test_divergence import table2
from test_figures import sweep

import reports
from reports.cells import read_cells
from reports.page.charts import noise_matrices
from results.records import Records

BAD = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and text outside scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.inside = [], "", None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = tag if tag in ("script", "style") else self.inside

    def handle_endtag(self, tag):
        self.inside = None if tag == self.inside else self.inside

    def handle_data(self, data):
        self.text += "" if self.inside else data


def draw(whats, folder, **options):
    drawn = reports.Report(folder, folder / "out", reports.Options(**options)).draw_page(whats)
    assert [path.name for path in drawn.files] == ["report.html", "claims.md"]
    text = drawn.files[0].read_text()
    return drawn, text, Page(text)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    whats = [table1(folder, seeds=2, rates=("0.1",)), sweep(folder, "tau", {"temperature": (0.05, 0.1)}, ("0.2",))]
    whats.append(table2(folder)[0])
    drawn, text, page = draw(whats, folder)
    return whats, drawn, text, page


def test_table_1_comes_first_then_claims_what_one_chooses_tables_and_the_protocol(whole):
    text, page = whole[2:]
    names = ("top", "claims", "explore", "people", "figure_tau", "table1", "table2", "behind", "protocol")
    places = [text.index(f'id="{name}"') for name in names]
    assert places == sorted(places)
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert all(f'id="{link[1:]}"' in text for link in links)
    first = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", text[: text.index('id="claims"')], re.S)
    assert re.sub("<.*?>", "", " ".join(first)) == (
        "\n RAF-DB Method 10 % Baseline 70.2±0.4 SCN 71.3±0.4 RUL 72.3±0.4 EAC 73.3±0.4 LA-Net 74.3±0.4"
    )


def test_nothing_is_fetched(whole):
    _, _, text, page = whole
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "base", "object")
        assert not (tag == "script" and "src" in attributes)
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith("#")
    named = text.replace("http://www.w3.org/2000/svg", "")  # a name, which nothing fetches
    assert not re.search(r"url\(|@import|fetch\(|https?://|XMLHttpRequest|import\(", named)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy


def test_it_fits_a_phone_and_the_dark(whole):
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in whole[3].tags
    assert "prefers-color-scheme: dark" in whole[2]


def test_every_number_names_its_runs(whole):
    whats, _, text, page = whole
    for asked in whats[0].cells:
        assert all(record_id in text for record_id in asked.ids)
    titles = [a["title"] for t, a in page.tags if t == "td" and "title" in a]
    assert any("n = 2 of 2; seed 0: 70.00, seed 1: 70.50; records" in title for title in titles)


def test_it_shows_what_the_papers_do_not(whole):
    text = whole[3].text
    for words in (
        "best − last",
        "macro F1",
        "calibration error",
        "Wrong-label AUROC",
        "Wrong labels found",
        "9.8 of 10\n",
        "310,000",
        "12.5",
        "900",
    ):
        assert words in text, words
    row = re.search(r"LA-Net</th>\s*<td[^>]*>([^<]+)<", whole[2][whole[2].index('id="behind"') :])
    assert row[1] == "+2.0"


def data_of(text):
    """What the page's script shows."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def test_the_embedded_numbers_are_those_of_tables_and_records(whole):
    data = data_of(whole[2])
    (view,) = data["views"]
    assert (view["dataset"], view["noise"], view["rate"], view["scale"]) == ("rafdb", "asymmetric", "0.1", "demo")
    numbers = view["results"]["accuracy/last"]
    assert numbers["text"] == ["70.2±0.4", "71.3±0.4", "72.3±0.4", "73.3±0.4", "74.3±0.4"]
    assert numbers["rank"] == ["n = 2"] * 5 and numbers["runs"][0] == [70.0, 70.5]
    assert view["results"]["accuracy/best"]["text"][0] == "72.3±0.4"
    assert view["results"]["balanced/last"]["mean"][0] == pytest.approx(60.25)
    assert view["results"]["own-auroc/last"]["text"][0] == "0.750±0.000"
    assert "balanced/best" not in view["results"]  # these records keep no predictions of every epoch
    assert "margin-auroc/last" not in view["results"]
    detail = data["details"][view["rows"][4][2]]
    assert detail["seeds"] == [0, 1] and detail["ids"] == list(whole[0][0].cells[4].ids)
    assert detail["by_class"] == [[100.0, 0.0]] * 8 and detail["realised"] == 9.8
    assert detail["course"]["mean"] == [30.0, 50.0, 74.25] and detail["course"]["marks"]["best"] == 76.25
    assert [row[c] for c, row in enumerate(detail["confusion"])] == [100.0] * 8


def test_people_are_embedded_as_the_csv_of_table_2_has_them(whole, tmp_path):
    folder = tmp_path
    what = table2(folder)[0]
    reports.Report(folder, folder / "out").draw(what)
    rows = list(csv.DictReader((folder / "out" / "table2.csv").open()))
    (group,) = data_of(whole[2])["people"]
    for row in rows:
        if row["images_of"] in ("all", "wrong", "ambiguous", "clear"):
            said = [float(row[name]) if row[name] else None for name in ("mean", "low", "high")]
            assert group["rows"][row["row"]][row["images_of"]] == said
    assert len(group["rows"]) == 3 and all(len(kinds) == 4 for kinds in group["rows"].values())


def test_what_noise_did_is_counted_from_labels_where_they_are_kept(whole):
    matrices = {one["title"]: one for one in data_of(whole[2])["noise"]}
    votes = matrices[
        "ferplus, labels drawn from people's votes" if "ferplus" in str(matrices) else next(iter(matrices))
    ]
    made, asked = np.array(votes["made"], float), np.array(votes["asked"], float)
    assert made.shape == asked.shape == (8, 8)
    assert made.sum(1) == pytest.approx([100] * 8, abs=0.5)  # a whole row of labels
    assert asked[~np.isnan(asked).any(1)].sum(1) == pytest.approx(100, abs=0.5)


def test_what_noise_did_is_shown_of_the_row_with_most_runs(tmp_path):
    ids = [write_record(tmp_path, seed=seed) for seed in range(2)]
    cells = [cell(f"{len(some)} runs", "baseline", "rafdb", "0.1", some) for some in (ids[:1], ids, ids[1:])]
    records = Records(tmp_path)
    (matrices,) = noise_matrices(read_cells(request("table", "1", cells), records, "last"), records)
    assert matrices["n"] == 2


def test_sweeps_are_embedded_as_their_csv_has_them(whole, tmp_path):
    what = sweep(tmp_path, "tau", {"temperature": (0.05, 0.1)}, ("0.2",))
    reports.Report(tmp_path, tmp_path / "out").draw(what)
    rows = list(csv.DictReader((tmp_path / "out" / "figure_tau.csv").open()))
    (group,) = data_of(whole[2])["sweeps"]
    (option,) = group["options"]
    assert option["title"] == "lanet.temperature"
    (line,) = option["lines"].values()
    assert [[value, mean] for value, mean, _ in line] == [[row["value"], float(row["mean"])] for row in rows]


def test_confusions_and_ideas_at_work_are_embedded_as_their_csvs_have_them(tmp_path):
    curve = {"name": "busy", "title": "Images called ambiguous (%)", "idle": [0.9, 1], "idle_text": "none"}
    ids = [
        write_record(tmp_path, seed=seed, history={"busy": [0.2, 0.4, 0.6]}, resolved={"mechanism": [curve]})
        for seed in range(2)
    ]
    cells = [cell("Baseline", "baseline", "rafdb", "0.1", ids)]
    _, text, _ = draw([request("figure", "confusion", cells), request("figure", "mechanisms", cells)], tmp_path)
    (confusions,), (ideas,) = (data_of(text)[name] for name in ("confusions", "mechanisms"))
    assert confusions["title"] == ideas["title"] + ", 10 %" == "RAF-DB, asymmetric noise, 10 %"
    assert np.array_equal(confusions["rows"]["Baseline"], 100 * np.eye(8)) and len(confusions["classes"]) == 8
    (shown,) = ideas["curves"]
    assert shown["title"] == "Baseline: Images called ambiguous (%)" and shown["idle"] == [90, 100]
    assert shown["lines"] == {"10 %": [[20, 0], [40, 0], [60, 0]]}
    assert "<img" not in text


def test_figure_2_has_the_numbers_of_its_charts(tmp_path):
    report = reports.Report(tmp_path, tmp_path / "out")
    drawn = report.draw_page([request("figure", "2", [table2(tmp_path)[0].cells[1]])])
    text = drawn.files[0].read_text()
    rows = list(csv.DictReader(report.drawings["figure2"].csv.splitlines()))
    assert [row["shown"] for row in rows[:3]] == ["label", "people", "LA-Net"] and len(rows) == 24 * 3
    assert sum(float(rows[0][name]) for name in ("anger", "neutral", "fear")) <= 1
    table = text[text.index("The numbers of this figure") : text.index("</table>", text.index("The numbers of this"))]
    cells = re.findall(r"<td>([^<]*)</td>", table)
    assert cells == [value for row in rows for value in row.values()]
    assert text.count("<img ") == 1


def test_the_summary_is_given_in_words(whole):
    assert "too few seeds at demo scale, last epoch: LA-Net is first at every rate on RAF-DB (Table 1)" in whole[1].text
    assert "not measured: momentum ω = 0.9 is best" in whole[1].text


def test_text_of_others_is_never_executed(tmp_path):
    title_record = write_record(
        tmp_path, dataset="mine", title=BAD, hardware=BAD, noise="none", rate=None, class_names=[BAD, "b"],
        metrics={"confusion": [[3, 1], [0, 4]], "per_class": [0.5, 1.0]},
        resolved={"recipe": {"backbone": BAD}, "weights": {"text": BAD}, "scale_notes": [BAD],
                  "data": {"title": BAD, "class_names": [BAD, "b"], "label_rule": BAD}},
    )  # fmt: skip
    broken = write_record(tmp_path, method="rul", dataset="mine", noise="none", rate=None)
    rewrite(tmp_path, broken, lambda record: record.update(status=BAD))
    cells = [
        cell(BAD, "baseline", "mine", None, [title_record]),
        cell("RUL", "rul", "mine", None, [broken]),
        cell("EAC", "eac", "mine", None, ["4" * 20], failures={"4" * 20: BAD}),
        cell("SCN", "scn", "mine", None, [], reason=BAD),
    ]
    what = request("table", "clean", cells, title=BAD)
    drawn, text, page = draw([what], tmp_path)
    reports.Report(tmp_path, tmp_path / "out").draw(what)
    table = (tmp_path / "out" / "table_clean.html").read_text()
    for found in (page, Page(table)):
        assert sum(tag == "script" for tag, _ in found.tags) == (2 if found is page else 0)
        assert not any(tag == "img" or "onerror" in attributes for tag, attributes in found.tags)
        assert "<script>alert('x')</script>" in found.text  # shown as text
    assert len(drawn.gaps) == 3


def test_strange_histories_and_metrics_do_not_break_the_page(tmp_path):
    record_id = write_record(
        tmp_path,
        metrics={"confusion": "none", "per_class": None, "macro_f1": "high", "wrong_label_auroc": None},
        history={"recovered": [[1], [2]], "memorised": ["a"]},
    )
    _, _, page = draw([request("table", "1", [cell("Baseline", "baseline", "rafdb", "0.1", [record_id])])], tmp_path)
    assert "80.0" in page.text


def test_an_empty_results_folder_gives_a_page(tmp_path):
    what = request("table", "1", [], columns=["rafdb"], methods=["baseline", "lanet"])
    _, _, page = draw([what], tmp_path)
    assert "no data" in page.text
    assert "Not measured: LA-Net is first at every rate" in page.text


def test_wrong_labels_found_stand_beside_the_reference_detector(tmp_path):
    told = {"wrong_label_auroc": 0.75, "wrong_label_fnr": 0.4, "margin_auroc": 0.9, "margin_fnr": 0.25}
    none = dict.fromkeys(told)
    cells = [
        cell("SCN", "scn", "rafdb", "0.1", [write_record(tmp_path, method="scn", metrics=told)]),
        cell("EAC", "eac", "rafdb", "0.1", [write_record(tmp_path, method="eac")]),
        cell("RUL", "rul", "rafdb", "0.1", [write_record(tmp_path, method="rul", metrics=none)]),
        cell("Clean", "mine", "rafdb", None, [write_record(tmp_path, method="mine", rate=None, realised=0.0)]),
    ]
    _, text, _ = draw([request("table", "1", cells)], tmp_path)
    table = text[text.index('id="detection"') : text.index("</section>", text.index('id="detection"'))]
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)</t", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.S)]
    assert rows[0] == ["Method", "own AUROC", "own missed %", "margin AUROC", "margin missed %"]
    assert rows[1:] == [
        ["SCN", "0.750", "40.0", "0.900", "25.0"],
        ["EAC", "0.750", "not kept", "not kept", "not kept"],
        ["RUL", "–", "–", "–", "–"],
    ]
