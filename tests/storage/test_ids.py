"""Numbers and names of rows, where codes and anchors take them: what is taken, what is refused."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcompress import Codes, InputError, SparseAnchors
from jaxcompress.data.vectors.arrays import take_rows
from jaxcompress.data.vectors.files import read_vectors

RNG = np.random.default_rng(0)
NAMES = ["man", "woman", "king", "queen", "w4", "²"]


def make_codes(names=None):
    codebooks = RNG.normal(size=(2, 4, 3)).astype(np.float32)
    return Codes(RNG.integers(0, 4, (6, 2)), codebooks, names)


def make_anchors(names=None):
    return SparseAnchors.from_csr(RNG.random((6, 2)), RNG.normal(size=(2, 3)), words=names)


KINDS = pytest.mark.parametrize("make", [make_codes, make_anchors])


@KINDS
@pytest.mark.parametrize("method", ["decode", "lookup"])
@pytest.mark.parametrize(
    "ids",
    [3, np.int64(3), np.array(3), [], [0, 5], [[0, 1], [5, 2]], range(2), np.zeros((2, 0), int),
     np.array([2, 0], np.uint64), [np.int8(1)], (1, 2)],
    ids=repr,
)  # fmt: skip
def test_ids_of_any_shape_give_rows_of_that_shape(make, method, ids):
    table = make()
    ids = list(ids) if isinstance(ids, range) else ids
    expected = table.decode()[np.asarray(ids, int)]
    rows = getattr(table, method)(ids)
    assert rows.shape == (*np.shape(ids), 3)
    np.testing.assert_allclose(rows, expected, rtol=1e-5)


@KINDS
@pytest.mark.parametrize("method", ["decode", "lookup"])
@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (np.arange(6) > 2, r"ids are booleans; expected integers; np.flatnonzero\(mask\) gives"),
        (True, "ids are booleans"),
        ([1.7], "ids are float64; expected integers"),
        (1.0, "ids are float64"),
        (["man"], r"ids are strings; expected integers; id_of\(word\) gives that of a word"),
        ([1j], "ids are complex128"),
        (np.array(["2020-01-01"], "M8[D]"), r"ids are datetime64\[D\]"),
        ([None], r"ids are \[None\]; expected integers in an array or a list"),
        ([[1], [2, 3]], r"ids are \[\[1\], \[2, 3\]\]; expected"),
        ({1}, r"ids are \{1\}; expected"),
        (slice(0, 2), r"ids are slice\(0, 2, None\)"),
        (np.ma.array([1, 2], mask=[0, 1]), "ids are a masked array"),
        (jnp.array([1.0]), "ids are float"),
        (jnp.array([True]), "ids are booleans"),
    ],
    ids=repr,
)
def test_what_are_no_integers_is_one_line(make, method, ids, message):
    with pytest.raises(InputError, match=message) as caught:
        getattr(make(), method)(ids)
    assert "\n" not in str(caught.value)


@KINDS
def test_ids_that_are_out_of_range_are_told(make):
    for call in (make().decode, make().lookup):
        for wrong in ([-1], [6], 6, [[0], [6]], [2**40], np.array([2**63], np.uint64)):
            with pytest.raises(IndexError, match="expected 0 to 5"):
                call(wrong)


@KINDS
def test_types_of_ids_are_checked_inside_a_jit_too(make):
    with pytest.raises(InputError, match="ids are booleans"):
        jax.jit(make().lookup)(jnp.array([True]))


@KINDS
def test_a_row_is_found_by_its_name_or_number_and_by_nothing_else(make):
    named, numbered = make(NAMES), make()
    for table, names in ((named, NAMES), (numbered, [str(i) for i in range(6)])):
        for i, name in enumerate(names):
            for one in (name, i, np.int64(i), np.array(i)):
                assert one in table
                assert table.id_of(one) == i
                assert type(table.id_of(one)) is int
                np.testing.assert_array_equal(table[one], table.decode()[i])
        for one in (6, -1, np.int64(6), 1.0, 1.5, True, None, [1], np.array([1]), "prince", "6",
                    "-1", " 1", "1_0", "٣", "01", "9" * 5000):  # fmt: skip
            assert one not in table
            with pytest.raises(KeyError, match="no row"):
                table[one]
    assert "²" in named
    assert "²" not in numbered  # str.isdigit() takes it for a number, int() does not


@KINDS
def test_a_table_is_taken_as_vectors_with_its_names_and_its_file_is_none(make, tmp_path):
    table = make(NAMES)
    rows, words = take_rows(table)
    np.testing.assert_array_equal(rows, table.decode())
    assert words == NAMES
    table.save(tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"a.safetensors: holds a compressed table; expected vec"):
        read_vectors(str(tmp_path / "a.safetensors"))


@KINDS
def test_a_table_is_iterated_by_rows(make):
    table = make(NAMES)
    np.testing.assert_array_equal(np.stack(list(table)), table.decode())
    np.testing.assert_array_equal(np.asarray(table), table.decode())


@KINDS
def test_what_is_pickled_or_copied_is_without_arrays_of_a_device(make):
    table = make(NAMES)
    table.lookup([1])
    table.id_of("king")
    for again in (pickle.loads(pickle.dumps(table)), copy.deepcopy(table), copy.copy(table)):
        assert sorted(vars(again)) == sorted(vars(make(NAMES)))
        assert not [v for v in jax.tree.leaves(vars(again)) if isinstance(v, jax.Array)]
        np.testing.assert_array_equal(again.decode(), table.decode())
        np.testing.assert_array_equal(again.lookup([5]), table.lookup([5]))
        assert again.id_of("queen") == 3


def test_codes_of_jax_arrays_are_kept_as_numpy():
    codes = Codes(jnp.array([[0], [1]]), jnp.ones((1, 2, 3)))
    assert type(codes.codes) is type(codes.codebooks) is np.ndarray
    with pytest.raises(InputError, match="codes are float64; expected integers"):
        Codes(np.array([[0.7]]), np.ones((1, 2, 3)))


@KINDS
def test_nearest_and_analogy_take_the_numbers_of_numpy(make):
    table = make(NAMES)
    for i in (np.int64(3), np.uint8(3), np.array(3)):
        assert table.nearest(i) == table.nearest("queen") == table.nearest(3)
        assert table.analogy(np.int16(0), 1, i) == table.analogy("man", "woman", "queen")
    for wrong in (1.0, True, None, np.float32(1), 6):
        with pytest.raises(KeyError, match="no row"):
            table.nearest(wrong)


def test_what_nearest_leaves_out_is_counted_once_and_a_word_is_not_its_letters():
    codes = make_codes(["a", "b", "c", "d", "ab", "4"])
    for one, several in (("ab", ["ab"]), (4, ["ab"]), (np.int64(4), ("ab",)), ("4", {5})):
        found = codes.nearest("a", exclude=one)
        assert found == codes.nearest("a", exclude=several)
        assert len(found) == 4
    assert len(codes.nearest("a", exclude=["a", 0, "ab", 4])) == 4
    with pytest.raises(KeyError, match="no row is named 'bc'"):
        codes.nearest("a", exclude="bc")


@pytest.mark.parametrize("count", [-1, 2.5, True, "3", None])
def test_a_count_of_rows_is_a_whole_number(count):
    with pytest.raises(InputError, match=r"count is .*; expected a whole number of at least 0"):
        make_codes().nearest(0, count)


@KINDS
def test_the_word_of_a_row_is_asked_for_by_its_number(make):
    named, numbered = make(NAMES), make()
    assert (named.word_of(np.int64(2)), numbered.word_of(2)) == ("king", "2")
    for table in (named, numbered):
        for wrong in (6, -1, 1.5, "king", "2", None):
            with pytest.raises(KeyError, match="no row"):
                table.word_of(wrong)


def test_rows_are_appended_to_a_table_whose_words_are_not_all_different():
    codes = make_codes(["x", "x", "y", "x", "z", "z"])
    codes = Codes(codes.codes, codes.codebooks, iter(codes.words))  # a generator is taken as well
    added = codes.append(np.array(["new"]), np.ones((1, 3))).codes
    assert list(added.words) == ["x", "x", "y", "x", "z", "z", "new"]
    assert (added.id_of("x"), added.id_of("new")) == (0, 6)
    for wrong, message in (
        (["x"], "'x' would name two rows"),
        ("n", "words are one string, 'n'; expected a list of strings"),
    ):
        with pytest.raises(InputError, match=message):
            codes.append(wrong, np.ones((1, 3)))


@KINDS
def test_queries_are_multiplied_with_all_rows(make):
    table, queries = make(), RNG.normal(size=(2, 1, 3)).astype(np.float32)
    for query in (queries, queries[0, 0]):
        for call in (table.attend, jax.jit(table.attend)):
            np.testing.assert_allclose(call(query), query @ table.decode().T, rtol=1e-5, atol=1e-6)
    gradient = jax.grad(lambda query: table.attend(query)[4])(queries[0, 0])
    np.testing.assert_allclose(gradient, table[4], rtol=1e-5, atol=1e-6)
    with pytest.raises(InputError, match=r"the query is \[2\]; expected \[..., 3\]"):
        table.attend(np.ones(2))


@KINDS
def test_the_bytes_of_a_file_are_counted_without_writing_it(make, tmp_path):
    for table in (make(), make(NAMES)):
        table.save(tmp_path / "a.safetensors")
        assert table.file_bytes() == (tmp_path / "a.safetensors").stat().st_size


@KINDS
def test_a_name_that_got_a_line_end_after_it_was_checked_is_not_saved(make, tmp_path):
    names = list(NAMES)
    table = make(names)
    names[2] = "ki\nng"
    with pytest.raises(InputError, match=r"name 'ki\\nng' contains a line break"):
        table.save(tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


@KINDS
def test_names_are_strings_of_one_line_and_no_string_themselves(make):
    assert list(make(iter(NAMES)).words) == NAMES
    for wrong, message in (
        ("abcdef", "s are one string, 'abcdef'; expected a list of strings"),
        (list("abcde"), "5 .*s and 6 rows; expected equal numbers"),
        (["a\nb", *"bcdef"], "contains a line break"),
        ([1, *"bcdef"], " 1 has type int; expected a string"),
    ):
        with pytest.raises(InputError, match=message):
            make(wrong)
