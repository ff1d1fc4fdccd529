"""The page that a run of DCCL leaves."""

import json
from xml.etree import ElementTree

import numpy as np
import report_pages

import jaxcompress
from jaxcompress import Codes
from jaxcompress.dccl.report_rows import usage


def test_a_run_leaves_a_report_of_its_figures(finished):
    workdir, printed = finished
    assert f"\nreport: {workdir}/report.html\n" in printed
    text, pictures = report_pages.check(workdir / "report.html")
    summary = json.loads((workdir / "summary.json").read_text())
    assert f"table.npy: 600 rows × 16, {summary['compression_ratio']:.1f} times smaller" in text
    assert f"{100 * summary['relative_error']:.1f}\xa0% of the variance" in text
    labels = [picture.get("aria-label") for picture in pictures]
    assert labels[:5] == [
        "Error over bytes of a row",
        "Where frequent rows were, and where their codes put them",
        "Errors of rows, how many of each",
        "Errors of rows over rank",
        "How many rows use each codeword",
    ]
    assert "Learning curve: loss" in labels
    dead = pictures[4].findall(".//{*}circle")
    assert len(dead) == summary["dead_codewords"]
    assert "python -m train.dccl --config=configs/quickstart.py" in text
    assert "model.num_codewords" in text


def test_neighbours_that_codes_have_lost_or_found_are_marked(finished):
    workdir, _ = finished
    page = (workdir / "report.html").read_text()
    after = {word for word, _ in jaxcompress.load(workdir).nearest("w1", 10)}
    for row in page.partition("by the codes</th>")[2].partition("</table>")[0].split("<tr>")[1:]:
        _, before, codes = row.split("<td")[1:]
        assert set(report_pages.re.findall(r">(w\d+)</span>", codes)) == after
        for word in report_pages.re.findall(r">(w\d+)</span>", before):
            assert (f'class="lost">{word}<' in before) == (word not in after)
        assert before.count('"lost"') == codes.count('"new"')


def test_codewords_that_no_row_uses_have_a_ring():
    codes = np.array([[0, 1], [0, 2], [3, 2]])  # of four: two unused, and two
    section = usage(Codes(codes, np.ones((2, 4, 3))))
    picture = ElementTree.fromstring(section.pictures[0].svg)
    assert len(picture.findall(".//{*}circle")) == 4
    assert "Codewords that no row uses have a ring; there are 4." in section.text


def test_a_report_is_written_anew_from_the_workdir(finished):
    workdir, _ = finished
    before = (workdir / "report.html").read_text()
    (workdir / "report.html").unlink()
    anew = jaxcompress.write_report(workdir).read_text()
    made = "How it was made"  # where commands that other tests have run are named too
    assert anew.partition(made)[0] == before.partition(made)[0]
