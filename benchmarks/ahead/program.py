"""A program of the project with the shapes of its arguments, for any devices."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.engine.mapper import make_mapper
from jaxcompress.engine.steps import make_engine
from jaxcompress.engine.task import PyTree, Task, TrainState

SEED = jax.eval_shape(lambda: jax.random.key(0))  # the shape of a key


class Call(NamedTuple):
    """A jitted function and the shapes of what it is called with.

    Attributes:
        function: as the project calls it.
        arguments: placed on devices.
        options: arguments by name.
        is_shared: whether devices share the work; if not, each does all of it.
    """

    function: Callable
    arguments: tuple
    options: Mapping[str, Any] = MappingProxyType({})
    is_shared: bool = True

    def lower(self) -> jax.stages.Lowered:
        """Lowers the call for the devices that its shapes are placed on."""
        return self.function.lower(*self.arguments, **self.options)

    def export(self, platforms: Sequence[str]) -> jax.export.Exported:
        """Exports the call for platforms, whatever its shapes are placed on."""
        exported = jax.export.export(self.function, platforms=platforms)
        return exported(*self.arguments, **self.options)


class Program(NamedTuple):
    """A program of the project.

    Attributes:
        name: FOLDER.WHAT, with what tells it from others like it.
        make: devices -> the call.
        items: how many of `unit` a call works on.
        unit: a noun in the plural.
        steps: optimiser steps of a call; 0: it does not train.
        like: the program that is traced alike, and differs in sizes alone; "": there is none.
    """

    name: str
    make: Callable[[Sequence[jax.Device]], Call]
    items: int
    unit: str
    steps: int = 0
    like: str = ""


def program(
    name: str,
    items: int,
    unit: str,
    make: Callable,
    *arguments: Any,
    steps: int = 0,
    like: str = "",
    **options: Any,
) -> Program:
    """Makes a program whose call is `make(devices, *arguments, **options)`; items are of a step."""
    call = lambda devices: make(devices, *arguments, **options)
    return Program(name, call, items * max(1, steps), unit, steps, like)


def shape(*dims: int, dtype: Any = np.float32) -> jax.ShapeDtypeStruct:
    """Makes the shape of an array."""
    return jax.ShapeDtypeStruct(dims, dtype)


def init_program(devices: Sequence[jax.Device], make_task: Callable, make_tx: Callable) -> Call:
    """Makes the call of what draws the first state."""
    task, tx = make_task(), make_tx()
    return everywhere(devices, lambda: _init(task, tx, 1))


def state_of(task: Task, tx: Any = None, batch_size: int = 1) -> TrainState:
    """Makes the shapes of a task's state; without an optimiser, as it is evaluated."""
    return jax.eval_shape(lambda: _init(task, tx, batch_size))


def _init(task: Task, tx: Any, batch_size: int) -> TrainState:
    params, aux = task.init(jax.random.key(0))
    opt_state = () if tx is None else tx.init(params)
    return TrainState(jnp.int32(0), params, opt_state, aux, task.init_carry(batch_size))


def train(
    devices: Sequence[jax.Device],
    task: Task,
    tx: Any,
    gather: Callable,
    data: PyTree,
    index: PyTree,
    batch_size: int,
    steps: int,
) -> Call:
    """Makes the call of `Engine.step` with `steps` indices of the shape of `index`."""
    engine = make_engine("jit", batch_size, task, tx, gather, devices)
    many = jax.tree.map(lambda x: shape(steps, *x.shape, dtype=x.dtype), index)
    state = engine.place_state(state_of(task, tx, batch_size))
    key = engine.place_shared(SEED)
    return Call(engine.step, (state, engine.place_data(data), engine.place_index(many), key))


def map_batch(
    devices: Sequence[jax.Device],
    function: Callable,
    state: PyTree,
    gather: Callable,
    data: PyTree,
    index: PyTree,
) -> Call:
    """Makes the call of `Mapper.map` with a function of a batch."""
    mapper = make_mapper(gather, devices)
    placed = mapper.place(state), mapper.place_data(data), mapper.place_batch(index)
    return Call(mapper.compile(function), placed)


def everywhere(
    devices: Sequence[jax.Device], function: Callable, *arguments: PyTree, **options: Any
) -> Call:
    """Makes the call of a function, jitted or not, on arrays that are the same on all devices."""
    jitted = function if hasattr(function, "lower") else jax.jit(function)
    return Call(
        jitted,
        make_mapper(lambda data, index: index, devices).place(arguments),
        options,
        is_shared=False,
    )


def multiple(count: int, devices: Sequence[jax.Device]) -> int:
    """Rounds a batch size up to a multiple of the number of devices."""
    return -(-count // len(devices)) * len(devices)
