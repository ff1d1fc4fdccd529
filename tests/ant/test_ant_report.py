"""The page that a run over ratings leaves."""

import json
import re

import report_pages

import jaxcompress
from jaxcompress.ant.report import write_report
from jaxcompress.ant.run import inspect_anchors


def test_a_run_leaves_a_report_of_its_transforms(finished_ratings):
    workdir, printed = finished_ratings
    assert f"\nreport: {workdir}/report.html\n" in printed
    text, pictures = report_pages.check(workdir / "report.html")
    summary = json.loads((workdir / "summary.json").read_text())
    assert f"NBANT 4, test MSE {summary['test_mse']:.4f}" in text
    assert f"{summary['parameters']:,} parameters" in text
    table = jaxcompress.load(workdir)
    for picture, side in zip(pictures, ("users", "items"), strict=False):
        assert picture.get("aria-label") == f"The transform of {side}"
        drawn = "".join(path.get("d") for path in picture.findall(".//{*}path"))
        transform = table.part(side).to_csr()[:, :-1]  # the last anchor is the mean row
        assert drawn.count("M") == transform.nnz > 0


def test_a_report_lists_the_items_of_most_weight_of_each_anchor(finished_ratings):
    workdir, _ = finished_ratings
    page = write_report(workdir).read_text()
    rows = re.findall(r"<tr>\n<td class=\"number\">(\d+)</td>(.*?)</tr>", page, re.DOTALL)
    found = {anchor.number: anchor for anchor in inspect_anchors(workdir, 6) if anchor.num_items}
    assert {int(number) for number, _ in rows} == found.keys() != set()
    for number, cells in rows:
        titles = [item.title for item in found[int(number)].items]
        assert re.findall(r"<span>(.*?)</span>", cells) == titles
