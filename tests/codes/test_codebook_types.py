"""What files hold of codebooks: rounded, folded, in slices; and that it comes back to the bit."""

import json

import numpy as np
import pytest
import safetensors

import jaxcompress
from jaxcompress import Codes, InputError
from jaxcompress.codes.checkpoint import load_artefact, save_artefact
from jaxcompress.codes.codebook_types import (
    CODEBOOK_TYPES,
    count_bytes,
    fold,
    is_folded,
    round_codebooks,
    store,
)
from jaxcompress.codes.groups import Groups


def random_codebooks(case):
    """Codebooks of any shape, unit and spread, some of them in groups, some with many zeros."""
    rng = np.random.default_rng(case)
    num_codebooks, num_codewords, dim, groups = *rng.integers(1, 8, 2), 6, None
    if case % 3 == 0:
        groups = Groups(int(rng.integers(0, 3)), int(rng.choice([1, 2, 3])))
        num_codebooks = groups.num_shared + groups.num_groups * int(rng.integers(1, 3))
    codebooks = rng.normal(size=(num_codebooks, num_codewords, dim))
    codebooks *= np.exp(rng.normal(size=codebooks.shape[:2]) * rng.choice([0, 1, 6]))[..., None]
    if case % 4 == 1:
        codebooks[rng.random(codebooks.shape) < 0.5] = 0
    codebooks = np.ldexp(codebooks, rng.integers(-85, 100)).astype(np.float32)
    return (codebooks if groups is None else groups.join(*groups.split(codebooks))), groups


@pytest.mark.parametrize("codebook_type", CODEBOOK_TYPES)
def test_what_is_rounded_stays_as_it_is_to_the_bit(codebook_type):
    for case in range(400):
        codebooks, groups = random_codebooks(case)
        codebooks = fold(codebooks, groups) if case % 2 else codebooks
        once = round_codebooks(codebooks, codebook_type, groups)
        again = round_codebooks(once, codebook_type, groups)
        assert once.dtype == np.float32
        assert once.shape == codebooks.shape
        assert once.tobytes() == again.tobytes(), case
        assert not case % 2 or is_folded(once, groups) == is_folded(codebooks, groups)
        stored = store(codebooks, codebook_type, groups).tensors.values()
        assert sum(tensor.nbytes for tensor in stored) == count_bytes(
            codebooks.shape, codebook_type, is_folded(codebooks, groups), groups
        )


def test_a_largest_number_that_rounds_up_to_a_power_of_two_moves_no_other():
    codebooks = np.full((1, 8, 4), np.float32(1 - 2.0**-20))
    codebooks[0, 1:, 0] = np.arange(1, 15, 2) * 2.0**-39  # half of the last digit
    once = round_codebooks(codebooks, "float16")
    assert once.max() == 1.0
    assert once.tobytes() == round_codebooks(once, "float16").tobytes()


@pytest.mark.parametrize("unit", [1e-30, 1e-10, 1.0, 1e10, 1e30])
def test_rounding_errors_are_those_of_the_type_whatever_the_unit(unit):
    codebooks = (np.random.default_rng(0).normal(size=(4, 8, 20)) * unit).astype(np.float32)
    halves = round_codebooks(codebooks, "float16")
    np.testing.assert_allclose(halves, codebooks, rtol=2.0**-11)
    for bits, top in ((8, 127), (6, 31), (5, 15), (4, 7)):
        whole = round_codebooks(codebooks, f"int{bits}")
        np.testing.assert_array_equal(whole[0], halves[0])  # which has the mean of the table
        numbers, whole = codebooks[1:], whole[1:]
        step = np.abs(whole).max(axis=2, keepdims=True) / top
        assert (np.abs(whole - numbers).max(axis=2) <= 0.501 * step[..., 0] + 2.0**-11 * unit).all()
        np.testing.assert_allclose(whole / step, np.rint(whole / step), atol=1e-4)
    stored = store(codebooks, "int8").tensors["codebooks.shared"]
    assert (np.abs(stored).max(axis=2) == 127).all()


def test_integers_of_few_bits_are_packed():
    codebooks = np.array([[[0.0] * 3] * 2, [[7.0, -7, 3], [1, 0, -1]]], np.float32)
    stored = store(codebooks, "int4")
    assert stored.tensors["codebooks.shared"].tolist() == [[[0x0E, 0x0A], [0x7E, 0x00]]]
    assert stored.layout == {"type": "int4", "short": False, "exponent": 0, "dim": 3}


def test_numbers_that_a_type_cannot_hold_are_one_line():
    for number in (np.inf, np.nan, 3e38, 1e-36):
        codebooks = np.full((2, 2, 2), number, np.float32)
        for codebook_type in ("float16", "int8"):
            with pytest.raises(InputError, match="only float32 holds them") as caught:
                round_codebooks(codebooks, codebook_type)
            assert "\n" not in str(caught.value)
        assert round_codebooks(codebooks, "float32") is codebooks


@pytest.mark.parametrize("groups", [None, Groups(1, 3), Groups(3, 2)])
def test_folding_changes_no_row_and_empties_the_last_codewords(groups):
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(7, 4, 6)).astype(np.float32)
    if groups is not None:
        codebooks = groups.join(*groups.split(codebooks))
    codes = rng.integers(0, 4, (100, 7))
    folded = fold(codebooks, groups)
    np.testing.assert_allclose(
        Codes(codes, folded).decode(), Codes(codes, codebooks).decode(), atol=2e-6
    )
    assert not folded[1:, -1].any()
    assert fold(folded, groups) is folded
    if groups is not None:  # each stays in its slice
        np.testing.assert_array_equal(groups.join(*groups.split(folded)), folded)


def test_without_a_codebook_of_all_dimensions_nothing_is_folded():
    groups = Groups(0, 2)
    codebooks = groups.join(np.zeros((0, 3, 4), "f4"), np.ones((2, 1, 3, 2), "f4"))
    assert fold(codebooks, groups) is codebooks
    assert not is_folded(np.zeros((2, 3, 4), np.float32), groups)


def make_codes(codebook_type, groups=None, folded=True, num_codewords=4):
    rng = np.random.default_rng(1)
    codebooks = rng.normal(size=(7, num_codewords, 6)).astype(np.float32)
    if groups is not None:
        codebooks = groups.join(*groups.split(codebooks))
    codebooks = fold(codebooks, groups) if folded else codebooks
    codebooks = round_codebooks(codebooks, codebook_type, groups)
    codes = rng.integers(0, num_codewords, (50, 7))
    return Codes(codes, codebooks, groups=groups, codebook_type=codebook_type)


def check_same(opened, codes):
    assert opened.codebooks.tobytes() == codes.codebooks.tobytes()
    np.testing.assert_array_equal(opened.codes, codes.codes)
    assert (opened.groups, opened.codebook_type) == (codes.groups, codes.codebook_type)
    assert opened.num_bytes() == codes.num_bytes()


@pytest.mark.parametrize("codebook_type", CODEBOOK_TYPES)
@pytest.mark.parametrize("groups", [None, Groups(1, 3), Groups(3, 2), Groups(0, 1), Groups(7, 1)])
@pytest.mark.parametrize("folded", [True, False])
def test_files_give_the_same_codebooks_and_take_the_bytes_that_are_said(
    codebook_type, groups, folded, tmp_path
):
    for num_codewords in (1, 2, 5):
        codes = make_codes(codebook_type, groups, folded, num_codewords)
        codes.save(tmp_path / "a.safetensors")
        opened = jaxcompress.load(tmp_path / "a.safetensors")
        check_same(opened, codes)
        assert not [name for name in opened.metadata if name not in ("format", "version")]
        with safetensors.safe_open(tmp_path / "a.safetensors", framework="numpy") as file:
            tensors = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118
        assert sum(tensor.nbytes for tensor in tensors) == codes.num_bytes()


def test_the_short_form_halves_codebooks_of_two_codewords_and_saves_a_quarter_of_four():
    for num_codewords, expected in ((2, 8 / 14), (4, 22 / 28)):
        short, long = (
            make_codes("float32", folded=folded, num_codewords=num_codewords).codebook_bytes
            for folded in (True, False)
        )
        assert short / long == expected  # the first of seven codebooks is whole


def test_float32_comes_back_to_the_bit_also_where_a_zero_has_a_minus(tmp_path):
    codebooks = np.zeros((2, 2, 3), np.float32)
    codebooks[1, 1] = -0.0
    codes = Codes(np.zeros((4, 2), int), codebooks)
    codes.save(tmp_path / "a.safetensors")
    check_same(jaxcompress.load(tmp_path / "a.safetensors"), codes)


def test_an_earlier_release_reads_float32_and_is_told_of_the_rest(tmp_path):
    """It reads version 1 of the format, with the codebooks as one tensor, and refuses others."""
    for codes, version in (
        (make_codes("float32", folded=False), "1"),
        (make_codes("float32"), "2"),
        (make_codes("float16", folded=False), "2"),
        (make_codes("float32", Groups(1, 2), folded=False), "2"),
    ):
        codes.save(tmp_path / "a.safetensors")
        with safetensors.safe_open(tmp_path / "a.safetensors", framework="numpy") as file:
            assert file.metadata()["version"] == version
            assert ("codebooks" in file.keys()) == (version == "1")  # noqa: SIM118


@pytest.mark.parametrize("codebook_type", ["float16", "int8"])
def test_saving_in_another_type_rounds_and_folds(codebook_type, tmp_path):
    codes = Codes(
        np.random.default_rng(0).integers(0, 8, (500, 5)),
        np.random.default_rng(1).normal(size=(5, 8, 20)).astype(np.float32),
        metadata={"mean_squared_l2": "1.0", "source": "x"},
    )
    codes.save(tmp_path / "a.safetensors", codebook_type=codebook_type)
    opened = jaxcompress.load(tmp_path / "a.safetensors")
    assert opened.codebook_type == codebook_type
    assert opened.codebook_bytes < codes.codebook_bytes / 2
    error = np.abs(opened.decode() - codes.decode()).max()
    assert 0 < error < {"float16": 0.01, "int8": 0.1}[codebook_type]
    assert opened.metadata["source"] == "x"
    assert "mean_squared_l2" not in opened.metadata  # which was that of other codebooks
    opened.save(tmp_path / "b.safetensors", codebook_type=codebook_type)
    check_same(jaxcompress.load(tmp_path / "b.safetensors"), opened)
    with pytest.raises(InputError, match="codebook_type is 'int7'; it must be one of float32,"):
        codes.save(tmp_path / "c.safetensors", codebook_type="int7")
    with pytest.raises(InputError, match="codebook_type is 'int7'"):
        Codes(codes.codes, codes.codebooks, codebook_type="int7")


def test_numbers_outside_of_a_group_are_not_lost_without_a_word(tmp_path):
    codes = Codes(np.zeros((3, 3), int), np.ones((3, 2, 4), np.float32), groups=Groups(1, 2))
    with pytest.raises(InputError, match="numbers outside of its dimensions"):
        codes.save(tmp_path / "a.safetensors")


def test_the_encoder_is_written_only_if_that_is_asked_for(tmp_path):
    weights = {"hidden.kernel": np.ones((6, 300), np.float32)}
    codes = Codes(np.zeros((3, 3), int), np.ones((3, 2, 6), np.float32), encoder=weights)
    codes.save(tmp_path / "a.safetensors")
    codes.save(tmp_path / "b.safetensors", export_encoder=True)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in "ab"]
    assert sizes[0] < 1000 < 7200 < sizes[1]
    assert jaxcompress.load(tmp_path / "a.safetensors").encoder is None
    encoder = jaxcompress.load(tmp_path / "b.safetensors").encoder
    np.testing.assert_array_equal(encoder["hidden.kernel"], weights["hidden.kernel"])


def test_the_artefact_of_a_workdir_keeps_type_and_groups(tmp_path):
    for codes in (make_codes("int8", Groups(1, 2)), make_codes("float32")):
        save_artefact(tmp_path, codes)
        opened = load_artefact(tmp_path)
        check_same(opened, codes)
        assert json.dumps(opened.metadata) == "{}"
