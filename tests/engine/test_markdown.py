import pytest

from jaxcompress.engine.page.markdown import markdown_table


def test_a_table_has_a_rule_and_its_bars_are_told_from_those_of_cells():
    assert markdown_table(["", "bytes"], [("a|b", "1"), ("c", "")], right=[1]) == [
        "| | bytes |",
        "|---|---:|",
        r"| a\|b | 1 |",
        "| c | |",
    ]


def test_a_row_that_lacks_a_cell_is_refused():
    with pytest.raises(ValueError, match="1 cells; expected 2"):
        markdown_table(["", "bytes"], [("a",)])
