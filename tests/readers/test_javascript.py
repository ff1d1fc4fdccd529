"""The reader in JavaScript gives the numbers that Python gives, for every form of the file."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from jaxcompress import Codes
from jaxcompress.codes.codebook_types import fold, round_codebooks
from jaxcompress.codes.groups import Groups

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(NODE is None, reason="no node on PATH")


def read(file, query):
    done = subprocess.run(
        [NODE, Path(__file__).with_name("read.mjs"), ROOT / "readers/jaxcompress.js", file, query],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("codebook_type", "groups", "num_codewords", "words"),
    [
        ("float32", None, 8, False),  # as earlier releases read it
        ("float32", None, 2, True),
        ("float16", None, 16, True),
        ("float16", Groups(0, 2), 5, False),
        ("int8", None, 300, True),
        ("int8", Groups(2, 3), 17, True),
        ("int8", Groups(0, 3), 4, True),
        ("int6", Groups(2, 3), 17, True),
        ("int5", None, 4, False),
        ("int4", Groups(0, 2), 5, False),
    ],
)
def test_rows_words_and_neighbours_are_those_of_python(
    codebook_type, groups, num_codewords, words, tmp_path
):
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(8 if groups == Groups(2, 3) else 6, num_codewords, 12)) * 1e-3
    codebooks = codebooks.astype(np.float32)
    if groups is not None:
        codebooks = groups.join(*groups.split(codebooks))
    if words:
        codebooks = fold(codebooks, groups)
    codebooks = round_codebooks(codebooks, codebook_type, groups)
    names = [f"wört {i % 39}" for i in range(40)] if words else None
    codes = Codes(
        rng.integers(0, num_codewords, (40, len(codebooks))),
        codebooks,
        names,
        groups=groups,
        codebook_type=codebook_type,
    )
    codes.save(tmp_path / "a.safetensors")
    query = "wört 0" if words else "7"
    found = read(tmp_path / "a.safetensors", query)
    np.testing.assert_allclose(found["rows"], codes.decode(), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found["own"], codes[query], rtol=1e-6, atol=1e-9)
    assert found["words"] == names
    assert found["failed"] == []
    expected = codes.nearest(query, 5)
    assert [str(word) for word, _ in found["nearest"]] == [word for word, _ in expected]
    cosines = [[c for _, c in pairs] for pairs in (found["nearest"], expected)]
    np.testing.assert_allclose(*cosines, atol=1e-5)
    assert str(found["toVector"][0][0]) == codes.word_of(0)
