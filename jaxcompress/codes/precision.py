"""Products of float32 matrices in full, on every kind of device."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax

_Parameters, _Result = ParamSpec("_Parameters"), TypeVar("_Result")


def exact_products(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Makes all matrix products of a function exact to float32, whatever the device's default is.

    A GPU multiplies float32 matrices as TF32 and a TPU as bfloat16 unless told otherwise. Training
    bears that. Normal equations do not: their solution divides by small numbers, and rounds of
    refinement then diverge. Nor does a search that compares errors in their last digits.

    The decorator stands below `jax.jit`, since precision is a matter of tracing.
    """

    @functools.wraps(function)
    def run(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        with jax.default_matmul_precision("highest"):
            return function(*args, **kwargs)

    return run
