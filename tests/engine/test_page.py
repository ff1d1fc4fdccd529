"""Pages: what any text, table and chart becomes of, and what happens if one cannot be made."""

import re
import sys
from functools import partial

import numpy as np
import pytest
import report_pages

from jaxcompress.engine.page.arrows import draw_map
from jaxcompress.engine.page.cells import draw_cells
from jaxcompress.engine.page.charts import Bars, Curve, Panel, bars, lines, to_svg
from jaxcompress.engine.page.notebook import show
from jaxcompress.engine.page.page import (
    Page,
    Picture,
    Section,
    Table,
    Word,
    leave_page,
    write_page,
)
from jaxcompress.errors import InputError

EVIL = "<script>alert('&')</script> $x^2$ \x00\x1b \ud800 \u6f22"


def make_page():
    panel = Panel(
        {EVIL: Curve([(1, 2.0), (10, 3.0)]), "b": Curve([(3, 1.0)], "star")}, EVIL, log="x"
    )
    points = np.random.default_rng(0).normal(size=(3, 2))
    pictures = [
        Picture(to_svg(lines(panel), EVIL), EVIL),
        Picture(to_svg(bars([EVIL, "b"], [Bars([1.0, 2.0], "t")], marked=[True, False]), "bars")),
        Picture(draw_cells(np.eye(3), EVIL, x_label=EVIL, y_label="y", ringed=np.eye(3) == 0)),
        Picture(draw_map(points, points + 1, [EVIL, "b", "c"], EVIL)),
    ]
    table = Table([EVIL, "n"], [[EVIL, 12345], [[Word(EVIL, "new")], None]])
    section = Section(EVIL, EVIL, pictures, [table], [EVIL])
    return Page(EVIL, EVIL, EVIL, {EVIL: EVIL}, [section])


def test_a_page_is_well_formed_and_escapes_every_text(tmp_path):
    text, pictures = report_pages.check(write_page(tmp_path / "report.html", make_page))
    shown = "<script>alert('&')</script> $x^2$ \ufffd\ufffd \ufffd \u6f22"
    assert text.count(shown) >= 11
    assert "12,345" in text
    assert len(pictures) == 4
    assert len(pictures[2].findall(".//{*}circle")) == 6  # a ring for each entry of 0


def test_parts_of_a_page_are_shown_in_a_notebook():
    pytest.importorskip("IPython")
    shown = show(*make_page().sections, Section("", tables=[Table(["n"], [[12345]])])).data
    assert shown.count("<svg") == 4
    assert shown.count("<h2>") == 1  # of the section that has a title
    assert "12,345" in shown
    assert "<script>" not in shown
    assert "--accent:" in shown  # pictures name their colours


def test_names_of_rows_and_columns_are_beside_a_picture():
    draw = partial(draw_cells, np.eye(2), "l", x_label="x", y_label="y")
    plain, named = str(draw()), str(draw(row_names=["word", "a <b>"], column_names=["c", "d"]))
    for text in (">word<", ">a &lt;b&gt;<", ">c<", ">d<"):
        assert text in named
        assert text not in plain
    width, wider = (int(re.search(r'width="(\d+)"', svg)[1]) for svg in (plain, named))
    assert wider > width + 25


def test_pictures_of_a_page_share_no_ids(tmp_path):
    page = write_page(tmp_path / "report.html", make_page).read_text()
    found = report_pages.re.findall(r' id="([^"]+)"', page)
    assert len(found) == len(set(found)) > 0


def test_a_page_that_cannot_be_made_is_a_note(tmp_path, caplog, monkeypatch):
    file = tmp_path / "report.html"
    leave_page(file, lambda: 1 / 0)
    assert caplog.messages == ["no report.html: division by zero"]
    monkeypatch.setitem(sys.modules, "jinja2", None)
    leave_page(file, make_page)
    assert caplog.messages[1:] == [
        "no report.html: reports are made with Jinja and matplotlib; for them: "
        'pip install "jaxcompress[plots]"'
    ]
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="pip install"):
        write_page(file, make_page)
