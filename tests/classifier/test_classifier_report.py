"""The page that a classifier leaves."""

import json
import re

import numpy as np
import report_pages

from jaxcompress.classifier.compare_report import compare_sections
from jaxcompress.classifier.predictions import read_predictions, save_predictions
from jaxcompress.classifier.report import write_report
from jaxcompress.data.labelled.read import read_labelled_text
from jaxcompress.engine.page.sections import leave_comparison


def test_a_run_leaves_a_report_of_its_confusion(finished_sentiment):
    workdir, printed = finished_sentiment
    assert f"\nreport: {workdir}/report.html\n" in printed
    text, _ = report_pages.check(workdir / "report.html")
    summary = json.loads((workdir / "summary.json").read_text())
    assert f"{100 * summary['test_accuracy']:.1f}\xa0% right" in text
    page = write_report(workdir).read_text().partition("Confusion")[2]
    counts = {mark: [int(n) for n in re.findall(rf'"{mark}">(\d+)<', page.partition("</table>")[0])]
              for mark in ("good", "bad")}  # fmt: skip
    assert sum(counts["good"]) == round(101 * summary["test_accuracy"])
    assert sum(counts["good"]) + sum(counts["bad"]) == 101


def test_predictions_are_of_the_texts_in_their_order(finished_sentiment, reviews):
    workdir, _ = finished_sentiment
    found = read_predictions(workdir)
    lines = (reviews / "test.csv").read_text().splitlines()
    np.testing.assert_array_equal(found.texts, np.arange(101))
    names = [line.rpartition(",")[2] for line in lines]
    classes = sorted(set(names))
    assert [classes[label] for label in found.labels] == names
    summary = json.loads((workdir / "summary.json").read_text())
    np.testing.assert_allclose(found.is_right.mean(), summary["test_accuracy"])
    wrong = np.flatnonzero(~found.is_right)
    page = (workdir / "report.html").read_text()
    listed = page.partition("taken for another class")[2].partition("</table>")[0]
    for text in re.findall(r'<td class="long">(.*?)</td>', listed):
        start = text.removesuffix("…")
        assert any(start in lines[i] for i in wrong)


def test_the_page_of_several_tables_shows_what_another_table_gets_wrong(
    finished_sentiment, reviews, tmp_path
):
    workdir, _ = finished_sentiment
    text = read_labelled_text(f"{reviews}/train.csv", test=f"{reviews}/test.csv")
    summary, found = json.loads((workdir / "summary.json").read_text()), read_predictions(workdir)
    right = np.flatnonzero(found.is_right)[:3]
    other = found._replace(
        found=np.where(np.isin(found.texts, right), 1 - found.found, found.found)
    )
    (tmp_path / "seed-0").mkdir()
    save_predictions(tmp_path / "seed-0", other)
    rows = [summary, {**summary, "embedding": "codes", "embedding_bytes": 10}]
    sections = lambda: compare_sections(rows, [workdir, tmp_path], text)
    leave_comparison(tmp_path / "compare.html", "Texts", sections)
    page, pictures = report_pages.check(tmp_path / "compare.html")
    assert pictures[0].get("aria-label") == "Test accuracy and bytes of each table"
    assert re.search(r"\bcodes\s+3\s+0\s", page)
    listed = page.partition("What codes gets wrong")[2]
    for i in right:
        assert " ".join(text.texts["test"][i].split()) in listed
