"""The library's own computations run under its own settings of jax, whatever the user has set.

`JAX_ENABLE_X64=1` doubles the width of random bits, `jax_numpy_rank_promotion="raise"` refuses a
product that is meant, and a mesh that was set asks for shardings of its own. None of these is about
what happens inside of the training loop or of a search, and results there should not depend on
them. Layers are not run this way: they are part of the user's own program.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax
import numpy as np

_Parameters, _Result = ParamSpec("_Parameters"), TypeVar("_Result")


def own_settings(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Makes a function run with the defaults of jax for types, promotion, transfers, jit and mesh.

    Random bits and literals are 32 bits wide, ranks and types are promoted, arrays may be sent to
    devices, functions are compiled and no mesh is set. When the function returns, the settings are
    the user's again.
    """

    @functools.wraps(function)
    def run(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        with contextlib.ExitStack() as stack:
            for setting in _settings():
                stack.enter_context(setting)
            return function(*args, **kwargs)

    return run


def _settings() -> list[contextlib.AbstractContextManager]:
    settings = [
        enable_x64(False),
        jax.numpy_rank_promotion("allow"),
        jax.numpy_dtype_promotion("standard"),
        jax.transfer_guard("allow"),
        jax.disable_jit(False),
    ]
    if jax.sharding.get_abstract_mesh().axis_names:
        settings.append(jax.set_mesh(jax.sharding.Mesh(np.empty((), object), ())))
    return settings


def enable_x64(is_enabled: bool) -> contextlib.AbstractContextManager:
    """Gives `jax.enable_x64(is_enabled)`, which before jax 0.8 is among experimental functions."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(is_enabled)
    from jax.experimental import disable_x64, enable_x64

    return enable_x64() if is_enabled else disable_x64()
