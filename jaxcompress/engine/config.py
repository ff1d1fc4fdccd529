"""Settings: the fields that every run shares, and the bounds that stand beside a field.

A config is a dataclass of typed fields and of groups, dataclasses too. `setting` gives a field its
bounds and says whether a resumed run may change it; `check_bounds` and `may_change` read that for
any config, so that neither this file nor the workdir nor the command line knows a method's fields.
"""

import dataclasses
import math
import numbers
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jaxcompress.errors import InputError

_BOUNDS, _MAY_CHANGE, _EARLIER = "bounds", "may_change", "earlier"  # keys of a field's metadata
_SAME = object()  # as the default


class Bounds(NamedTuple):
    """The values that a field may have; what is None does not bound it.

    >>> str(Bounds(at_least=0, below=1)), Bounds(at_least=0, below=1).admit(1.0)
    ('in [0, 1)', False)
    """

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    one_of: Sequence[str] | None = None

    def admit(self, value: Any) -> bool:
        """Whether the value is within; NaN is within none."""
        if self.one_of is not None:
            return value in self.one_of
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        if self.one_of is not None:
            return f"one of {', '.join(self.one_of)}"
        if self.below == math.inf:
            return f"a number {Bounds(self.at_least, self.above)}"
        if self.at_least is not None and self.below is not None:
            return f"in [{self.at_least}, {self.below})"
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least:,} to {self.at_most:,}"
        bounds = [(name.replace("_", " "), value) for name, value in self._asdict().items()]
        return " and ".join(f"{name} {value:,}" for name, value in bounds if value is not None)


def setting(default: Any, *, may_change: bool = False, earlier: Any = _SAME, **bounds: Any) -> Any:
    """Makes a field of a config.

    Args:
        default: the field's value if none is given; not a group of fields.
        may_change: whether a resumed run may have another value, since the field has no part in
            the run's result.
        earlier: what runs did before there was this field, if that is not the default.
        **bounds: those of `Bounds`. They hold for each element of a tuple; None is always within.
    """
    metadata = {_BOUNDS: Bounds(**bounds), _MAY_CHANGE: may_change, _EARLIER: earlier}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(kw_only=True)
class RunConfig:
    """What the loop needs to know; each method's `Config` adds its own fields to these."""

    # seeds first values, noise, the order of the rows and the choice of held-out rows
    seed: int = setting(0, at_least=0, at_most=2**32 - 1)
    batch_size: int = setting(512, at_least=1)  # rows per step, over all devices
    # optimiser steps; None: derived from the size of the data
    num_steps: int | None = setting(None, at_least=1)
    # "jit": one program over all devices; "pmap": one replica per device
    parallel: str = setting("jit", one_of=("jit", "pmap"))
    steps_per_dispatch: int = setting(20, at_least=1)  # steps that one call to the device takes
    log_every: int = setting(100, at_least=1, may_change=True)  # steps between lines of the log
    # steps between evaluations, each of which leaves a checkpoint; None: a tenth of the steps, at
    # most 1,000
    eval_every: int | None = setting(None, at_least=1)
    # whether `report.html` and `curves.png` are made at the end, which takes a second or two
    report: bool = setting(True, may_change=True)

    def check(self) -> None:
        """Raises InputError if a value is invalid; methods add what concerns several fields."""
        check_bounds(self)


def _fields(config: Any, prefix: str = "") -> Iterator[tuple[str, Any, dataclasses.Field]]:
    """Yields name, as on the command line, value and field, of a config and of its groups."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from _fields(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value, field


def check_bounds(config: Any) -> None:
    """Raises InputError for the first field that is of another type or out of bounds."""
    for name, value, field in _fields(config):
        if not _is_of(value, field.type):
            kind = field.type.__name__ if isinstance(field.type, type) else field.type
            raise InputError(f"{name} is {value!r}; it must be of type {kind}.")
        bounds = field.metadata.get(_BOUNDS, Bounds())
        if isinstance(value, tuple):
            for element in value:
                if not bounds.admit(element):
                    raise InputError(f"{name} has {element!r}; each must be {bounds}.")
        elif value is not None and not bounds.admit(value):
            raise InputError(f"{name} is {value!r}; it must be {bounds}.")


def _is_of(value: Any, kind: Any) -> bool:
    """Tells whether a value is of a field's type; a whole number is a float too.

    >>> _is_of(3, float), _is_of(3.0, int | None), _is_of(True, int), _is_of((4,), tuple[int, ...])
    (True, False, False, True)
    """
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return any(_is_of(value, part) for part in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        element = typing.get_args(kind)[0]
        return isinstance(value, (tuple, list)) and all(_is_of(part, element) for part in value)
    if isinstance(value, bool):  # which Python takes for an int
        return kind is bool
    return isinstance(value, {int: numbers.Integral, float: numbers.Real}.get(kind, kind))


def may_change(config: Any) -> set[str]:
    """The names of the fields that a resumed run may change."""
    return {name for name, _, field in _fields(config) if field.metadata.get(_MAY_CHANGE, False)}


def as_earlier(config: Any, kept: Mapping[str, Any]) -> Any:
    """Makes a config do what a run did that began before some of the fields were there.

    Args:
        config: values of all fields.
        kept: what the run keeps, in `dataclasses.asdict`'s form. Fields that it lacks get the
            `earlier` value of their `setting`, if there is one.
    """
    changes = {}
    for field in dataclasses.fields(config):
        value, earlier = getattr(config, field.name), field.metadata.get(_EARLIER, _SAME)
        if dataclasses.is_dataclass(value):
            group = kept.get(field.name)
            changes[field.name] = as_earlier(value, group if isinstance(group, Mapping) else {})
        elif field.name not in kept and earlier is not _SAME:
            changes[field.name] = earlier
    return dataclasses.replace(config, **changes)


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
