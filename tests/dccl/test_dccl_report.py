"""The page that a run of DCCL leaves."""

import json

import report_pages

import jaxcompress


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


def test_a_report_is_written_anew_from_the_workdir(finished):
    workdir, _ = finished
    before = (workdir / "report.html").read_text()
    (workdir / "report.html").unlink()
    anew = jaxcompress.write_report(workdir).read_text()
    made = "How it was made"  # where commands that other tests have run are named too
    assert anew.partition(made)[0] == before.partition(made)[0]
