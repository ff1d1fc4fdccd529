"""Files of pairs of ids."""

import pytest

from jaxcompress.data.ratings.pairs import read_pairs
from jaxcompress.errors import InputError


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a b\nc  d\n", [["a", "b"], ["c", "d"]]),
        ("a, b\r\n\r\nc,d", [["a", "b"], ["c", "d"]]),
        ("Alien, the film\tUp 2\nx\ty z\n", [["Alien, the film", "Up 2"], ["x", "y z"]]),
        ('"Alien, the film",Up 2\n', [["Alien, the film", "Up 2"]]),
        ("one, two;three four\n", [["one, two", "three four"]]),
        ("one two::three, four\n", [["one two", "three, four"]]),
    ],
)
def test_ids_may_hold_commas_and_spaces(tmp_path, text, pairs):
    (tmp_path / "pairs.txt").write_text(text, newline="")
    assert [fields for _, fields in read_pairs(tmp_path / "pairs.txt")] == pairs


def test_a_line_without_two_ids_is_named(tmp_path):
    (tmp_path / "pairs.txt").write_text("a\tb\nc d\n")
    with pytest.raises(InputError, match=r"pairs\.txt:2: 'c d'; expected two ids"):
        list(read_pairs(tmp_path / "pairs.txt"))
