"""The artefact of anchors: rows, sizes, files."""

import subprocess
import sys

import jax
import numpy as np
import pytest
import scipy.sparse

import jaxcompress
from jaxcompress.anchors.artefact import SparseAnchors, stack
from jaxcompress.storage.tensors import write_tensors


def make(num_rows=20, num_anchors=5, seed=0, **others):
    rng = np.random.default_rng(seed)
    transform = rng.random((num_rows, num_anchors)) * (rng.random((num_rows, num_anchors)) < 0.4)
    transform[3] = 0
    anchors = rng.normal(size=(num_anchors, 4)).astype(np.float32)
    table = SparseAnchors.from_csr(scipy.sparse.csr_matrix(transform), anchors, **others)
    return table, transform.astype(np.float32) @ anchors


def test_rows_are_the_product_by_numpy_and_by_jax():
    table, dense = make()
    np.testing.assert_allclose(table.decode(), dense, rtol=1e-5, atol=1e-6)
    ids = np.array([[7, 3], [3, 19]])
    np.testing.assert_allclose(table.lookup(ids), dense[ids], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jit(table.lookup)(ids), dense[ids], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(table.decode([19, 0, 3]), dense[[19, 0, 3]], rtol=1e-5, atol=1e-6)
    assert (table.decode([3]) == 0).all()
    assert table.decode([]).shape == (0, 4)
    np.testing.assert_allclose(table.to_csr() @ table.anchors, dense, rtol=1e-5, atol=1e-6)
    for wrong in ([20], [-1]):
        with pytest.raises(IndexError, match="expected 0 to 19"):
            table.decode(wrong)
        with pytest.raises(IndexError, match="expected 0 to 19"):
            table.lookup(wrong)


def test_bytes_are_those_of_values_indices_counts_and_anchors():
    table, _ = make()
    assert table.num_bytes() == 4 * table.nnz + table.nnz + 20 + 4 * 5 * 4
    assert table.compression_ratio() == 4 * 20 * 4 / table.num_bytes()
    assert "20 rows x 4, 5 anchors" in repr(table)


def test_anchors_and_entries_may_be_more_than_16_bits_can_count(tmp_path):
    """A row of 70,000 entries, and one for the last of 70,000 anchors."""
    everything, number = np.ones(70_000, np.float32), np.arange(70_000)
    ids = np.append(number, 69_999), np.append(np.zeros(70_000, int), 1)
    entries = scipy.sparse.csr_matrix((np.append(everything, 2), ids[::-1]), shape=(3, 70_000))
    table = SparseAnchors.from_csr(entries, (number % 1000)[:, None])
    expected = [[(number % 1000).sum()], [2 * 999], [0]]
    small = SparseAnchors.from_csr(np.eye(2), np.array([[5.0], [7.0]]))
    both = stack({"large": table, "small": small})
    both.save(tmp_path / "a.safetensors")
    for found in (table, jaxcompress.load(tmp_path / "a.safetensors").part("large")):
        np.testing.assert_allclose(found.decode(), expected, rtol=1e-5)
        assert found.indices.dtype == found.counts.dtype == np.uint32
    part = both.part("small")
    assert part.num_bytes() == small.num_bytes() == 2 * 4 + 2 + 2 + 2 * 4
    np.testing.assert_array_equal(part.decode(), [[5], [7]])
    np.testing.assert_array_equal(both["small/1"], [7])


def test_tables_below_each_other_keep_their_rows_and_names(tmp_path):
    users, user_rows = make(words=[f"u{i}" for i in range(20)])
    items, item_rows = make(num_rows=7, num_anchors=3, seed=1, words=[str(i) for i in range(7)])
    both = stack({"users": users, "items": items}, extras={"bias": np.float32(3.5)},
                 metadata={"method": "ANT"})  # fmt: skip
    np.testing.assert_allclose(
        both.decode(), np.vstack([user_rows, item_rows]), rtol=1e-5, atol=1e-6
    )
    both.save(tmp_path / "both.safetensors")
    again = jaxcompress.load(tmp_path / "both.safetensors")
    assert isinstance(again, SparseAnchors)
    np.testing.assert_array_equal(again.decode(), both.decode())
    np.testing.assert_allclose(again["items/2"], item_rows[2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again.part("items")["2"], item_rows[2], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(again.part("users")["u19"], user_rows[19], rtol=1e-5, atol=1e-6)
    assert float(again.extras["bias"]) == 3.5
    assert again.metadata["method"] == "ANT"
    for call, message in (
        (lambda: again["items/99"], "no row is named"),
        (lambda: again.part("films"), "no table 'films'; there are users, items"),
    ):
        with pytest.raises(KeyError, match=message):
            call()


def test_the_mean_row_is_the_mean_of_all_rows_of_a_part():
    users, user_rows = make()
    items, item_rows = make(num_rows=7, num_anchors=3, seed=1)
    both = stack({"users": users, "items": items})
    for name, rows in (("users", user_rows), ("items", item_rows)):
        np.testing.assert_allclose(both.part(name).mean_row(), rows.mean(axis=0), rtol=1e-5)
        assert both.part(name).mean_row().dtype == np.float32


def test_a_table_of_numbered_rows_finds_them_by_number():
    table, dense = make()
    np.testing.assert_allclose(table["7"], dense[7], rtol=1e-5, atol=1e-6)
    with pytest.raises(KeyError, match="rows are 0 to 19"):
        table[20]


def test_others_may_read_the_file_as_any_other(tmp_path):
    (tmp_path / "plain").write_text("")
    make()[0].save(tmp_path / "a.safetensors")
    modes = [(tmp_path / name).stat().st_mode for name in ("plain", "a.safetensors")]
    assert modes[0] == modes[1]


def test_a_damaged_file_is_one_line(tmp_path):
    table, _ = make()
    table.save(tmp_path / "a.safetensors")
    raw = bytearray((tmp_path / "a.safetensors").read_bytes())
    raw[-3] ^= 255
    (tmp_path / "a.safetensors").write_bytes(raw)
    with pytest.raises(jaxcompress.InputError, match="damaged; its hash differs"):
        jaxcompress.load(tmp_path / "a.safetensors")
    write_tensors(tmp_path / "b.safetensors", {}, "other", {})
    with pytest.raises(jaxcompress.InputError, match="holds no compressed table"):
        jaxcompress.load(tmp_path / "b.safetensors")


def test_arrays_that_do_not_fit_are_refused():
    table, _ = make()
    arrays = (table.counts, table.indices, table.values, table.anchors)
    for changed, message in (
        ((table.counts[1:], *arrays[1:]), "entries in all rows"),
        ((*arrays[:3], table.anchors[:2]), "there are 2 anchors"),
        ((*arrays[:3], table.anchors[0]), r"expected \[V\], \[nnz\] and \[K, D\]"),
        ((*arrays, ["a"]), "1 names and 20 rows"),
        ((arrays[0], arrays[1] - 1.0, *arrays[2:]), "indices are float64 from -1.0 on; expected"),
        ((arrays[0], arrays[1].astype(int) - 1, *arrays[2:]), "indices are int64 from -1 on"),
    ):
        with pytest.raises(jaxcompress.InputError, match=message):
            SparseAnchors(*changed)


def test_reading_and_decoding_need_no_jax(tmp_path):
    make()[0].save(tmp_path / "a.safetensors")
    program = (
        "import sys, jaxcompress; t = jaxcompress.load(sys.argv[1]); t.decode([1, 2]); t[3]; "
        "t.nearest(3); "
        "assert 'jax' not in sys.modules and 'scipy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "a.safetensors"], check=True)
