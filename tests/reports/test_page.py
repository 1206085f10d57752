"""report.html: one file, nothing fetched, nothing of others executed, every number with its runs."""

import re
from html.parser import HTMLParser

import pytest
from records import cell, request, rewrite, table1, write_record
from test_divergence import table2
from test_figures import sweep

import reports

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
    drawn = reports.draw_page(whats, folder, folder / "out", reports.Options(**options))
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


def test_claims_come_first_then_tables_then_protocol(whole):
    text = whole[2]
    places = [text.index(f'id="{name}"') for name in ("claims", "table1", "table2", "figure_tau", "behind", "protocol")]
    assert places == sorted(places)


def test_nothing_is_fetched(whole):
    _, _, text, page = whole
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "base", "object")
        assert not (tag == "script" and "src" in attributes)
        assert attributes.get("src", "data:").startswith("data:")
        assert "href" not in attributes
    assert not re.search(r"url\(|@import|fetch\(|https?://", text)
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
        "9.8 of 10",
        "310,000",
        "12.5",
        "900",
    ):
        assert words in text, words
    row = re.search(r"LA-Net</th>\s*<td[^>]*>([^<]+)<", whole[2][whole[2].index('id="behind"') :])
    assert row[1] == "+2.0"
    assert 'class="recovered" points="0.0,45.0 50.0,35.0 100.0,25.0"' in whole[2]
    assert "Confusion matrices (" in text
    assert "Accuracy by class" in text


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
    reports.draw(what, tmp_path, tmp_path / "out")
    table = (tmp_path / "out" / "table_clean.html").read_text()
    for found in (page, Page(table)):
        assert sum(tag == "script" for tag, _ in found.tags) == (1 if found is page else 0)
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
    assert "not measured" in page.text


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
    table = text[text.index('id="detection"') : text.index("Runs behind", text.index('id="detection"'))]
    rows = [re.findall(r"<t[hd][^>]*>([^<]*)</t", row) for row in re.findall(r"<tr>(.*?)</tr>", table, re.S)]
    assert rows[0] == ["Method", "own AUROC", "own missed %", "margin AUROC", "margin missed %"]
    assert rows[1:] == [
        ["SCN", "0.750", "40.0", "0.900", "25.0"],
        ["EAC", "0.750", "not kept", "not kept", "not kept"],
        ["RUL", "–", "–", "–", "–"],
    ]
