"""Every program of the project can be compiled for TPUs and GPUs, as far as jax alone can tell."""

import re

import jax
import pytest

from benchmarks.ahead.programs import PROGRAMS

PLATFORMS = ("tpu", "cuda", "rocm")
CHOLESKY = {"cusolver_potrf_ffi", "hipsolver_potrf_ffi"}


# Sizes change nothing of what is traced.
@pytest.mark.parametrize("name", [name for name, program in PROGRAMS.items() if not program.like])
def test_a_program_is_exported_without_float64_and_without_calls_of_a_library(name):
    text = PROGRAMS[name].make(jax.devices()[:1]).export(PLATFORMS).mlir_module()
    assert "f64" not in text
    assert set(re.findall(r"custom_call @([\w.$]+)", text)) <= CHOLESKY


def test_a_tpu_solves_large_equations_without_a_decomposition():
    small, large = (
        PROGRAMS[name].make(jax.devices()[:1]).export(("tpu",)).mlir_module().lower()
        for name in ("refine.solve", "refine.solve.8192")
    )
    assert "cholesky" in small
    assert "cholesky" not in large
