"""The cache of parsed vectors: whatever is wrong with it, the file is parsed anew."""

import numpy as np
import pytest

from jaxcompress.data.vectors.files import read_vectors

ROWS = np.array([[1.5, -2.0, 0.25], [0.0, 4.0, 1e-3]], np.float32)


def cut(file):
    file.write_bytes(file.read_bytes()[:-5])


def keep_one_row(file):
    np.save(file, ROWS[:1])


def change_type(file):
    np.save(file, ROWS.astype(np.float64))


DAMAGE = {
    "gone": lambda file: file.unlink(),
    "cut": cut,
    "empty": lambda file: file.write_bytes(b""),
    "garbage": lambda file: file.write_bytes(b"\xff\x00garbage"),
    "other keys": lambda file: file.write_text('{"words": ["a"]}'),
    "a list": lambda file: file.write_text("[]"),
    "null": lambda file: file.write_text('{"words": null, "notes": null}'),
    "one row": keep_one_row,
    "float64": change_type,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("ending", ["npy", "json"])
def test_a_damaged_cache_heals(tmp_path, damage, ending):
    (tmp_path / "v.txt").write_bytes(b"king 1.5 -2 0.25\nqueen 0 4 1e-3\nking 1 1 1\n")
    read_vectors(str(tmp_path / "v.txt"))
    [file] = (tmp_path / "cache" / "vectors").glob(f"*.{ending}")
    whole = file.read_bytes()
    damage(file)
    for _ in range(2):
        vectors = read_vectors(str(tmp_path / "v.txt"))
        np.testing.assert_array_equal(vectors.rows, ROWS)
        assert vectors.words == ["king", "queen"]
        assert vectors.notes == ("dropped duplicate words: 1; the first of each was kept.",)
        assert file.read_bytes() == whole
