import numpy as np

from jaxcompress import Codes
from jaxcompress.codes import before_after
from jaxcompress.codes.before_after import compare_neighbours, nearest_rows
from jaxcompress.dccl.neighbours import show_neighbours


def cosines(rows):
    """Cosines of all pairs of rows, those of a row with itself lowest."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit @ unit.T - 9 * np.eye(len(rows))


def random_codes():
    """Rows that are not those of the codes: the two have neighbours of their own."""
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(3, 8, 5)).astype(np.float32)
    codes = Codes(
        rng.integers(0, 8, (40, 3)).astype(np.uint8), codebooks, list(map(str, range(40)))
    )
    return rng.normal(size=(40, 5)).astype(np.float32), codes


def test_nearest_rows_are_those_of_all_pairs_whatever_the_chunks(monkeypatch):
    rows, _ = random_codes()
    for chunk in (7, 40, 8192):
        monkeypatch.setattr(before_after, "_CHUNK", chunk)
        for query, found in zip((3, 39), nearest_rows(rows, [3, 39], 4), strict=True):
            ids, values = zip(*found, strict=True)
            expected = np.argsort(-cosines(rows)[query])[:4]
            np.testing.assert_array_equal(ids, expected)
            np.testing.assert_allclose(values, cosines(rows)[query][expected], rtol=1e-5)


def test_neighbours_are_compared_by_the_vectors_and_by_the_codes():
    rows, codes = random_codes()
    (found,) = compare_neighbours(rows, codes, ["7"], 3)
    assert found.word == "7"
    for part, table in ((found.original, rows), (found.decoded, codes.decode())):
        expected = np.argsort(-cosines(table)[7])[:3]
        assert [word for word, _ in part] == [str(i) for i in expected]
        np.testing.assert_allclose([c for _, c in part], cosines(table)[7][expected], rtol=1e-4)


def test_words_that_the_table_lacks_are_named_and_the_others_shown(capsys):
    rows, codes = random_codes()
    show_neighbours(rows, codes, ("7", "nobody"))
    printed = capsys.readouterr().out
    (found,) = compare_neighbours(rows, codes, ["7"], 6)
    assert f"7\t{' '.join(map(str, codes.codes[7]))}\n" in printed
    assert f"  original  {found.original[0][0]} {found.original[0][1]:.2f}, " in printed
    assert f"  codes     {found.decoded[0][0]} {found.decoded[0][1]:.2f}, " in printed
    assert printed.endswith("sample words that are not in the table: nobody\n")
    show_neighbours(rows, codes, ("nobody",))
    assert "codes and nearest" not in capsys.readouterr().out
