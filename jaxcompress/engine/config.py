"""The settings that every run shares, and the command line that reads them."""

import dataclasses
import operator
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from jaxcompress.errors import InputError


@dataclasses.dataclass(kw_only=True)
class RunConfig:
    """What the loop needs to know; each method's `Config` adds its own fields to these."""

    seed: int = 0  # initialisation, noise, order of the rows, held-out rows
    batch_size: int = 512  # rows per step, over all devices
    num_steps: int | None = None  # optimiser steps; None: derived from the size of the data
    parallel: str = "jit"  # "jit": one program over all devices; "pmap": one replica per device
    steps_per_dispatch: int = 20  # steps that one call to the device makes
    log_every: int = 100  # steps between lines of metrics.jsonl
    eval_every: int | None = None  # steps between evaluations; each leaves a checkpoint; None:
    # a tenth of the steps, at most 1,000

    def check(self) -> None:
        """Raises InputError where a value is not possible."""
        check_bounds(
            self,
            at_least_1=("batch_size", "steps_per_dispatch", "log_every", "num_steps", "eval_every"),
        )
        if self.parallel not in ("jit", "pmap"):
            raise InputError(f'parallel is {self.parallel!r}; it must be "jit" or "pmap".')
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed is {self.seed}; it must be in [0, 2^32).")


def check_bounds(
    config: Any,
    *,
    at_least_1: Sequence[str] = (),
    at_least_0: Sequence[str] = (),
    above_0: Sequence[str] = (),
    fractions: Sequence[str] = (),
    choices: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Raises InputError for the first of the fields, named as on the command line, out of bounds.

    A field that is None is not checked.
    """
    for names, is_in, expected in (
        (at_least_1, lambda x: x >= 1, "at least 1"),
        (at_least_0, lambda x: x >= 0, "at least 0"),
        (above_0, lambda x: x > 0, "above 0"),
        (fractions, lambda x: 0 <= x < 1, "in [0, 1)"),
        *(
            ([name], known.__contains__, f"one of {', '.join(known)}")
            for name, known in (choices or {}).items()
        ),
    ):
        for name in names:
            value = operator.attrgetter(name)(config)
            if value is not None and not is_in(value):
                said = repr(value) if isinstance(value, str) else value
                raise InputError(f"{name} is {said}; it must be {expected}.")


def from_dict(kind: type, values: dict[str, Any]) -> Any:
    """Rebuilds a config of type `kind` from `dataclasses.asdict`'s form, as JSON gives it back."""
    hints = typing.get_type_hints(kind)
    made = {}
    for field in dataclasses.fields(kind):
        if field.name in values:
            value, hint = values[field.name], hints[field.name]
            if dataclasses.is_dataclass(hint):
                value = from_dict(hint, value)
            elif typing.get_origin(hint) is tuple:
                value = tuple(value)
            made[field.name] = value
    return kind(**made)
