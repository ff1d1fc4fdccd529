"""The command line of a main: a config, overrides of its fields, and flags of the mode.

Nowhere else are absl and ml_collections imported.
"""

import dataclasses
import functools
import os
import types
import typing
from collections.abc import Sequence
from typing import Any, NamedTuple

from absl import flags
from ml_collections import config_flags

from jaxcompress.cli.configs import config_names, find_config
from jaxcompress.cli.help import help_text
from jaxcompress.errors import InputError


class Arguments(NamedTuple):
    """A parsed command line."""

    config: Any  # what the config file's get_config() returned, overridden; None: not given
    workdir: str | None  # None: not given, and no config to name it by
    mode: str
    distributed: bool
    options: Any = None  # the main's own, as a dataclass
    help: str = ""  # what --help prints, if it was asked for


def parse_arguments(
    argv: Sequence[str],
    modes: Sequence[str],
    options: Any = None,
    kind: type | None = None,
    doc: str = "",
) -> Arguments:
    """Parses `--config NAME --config.FIELD=VALUE --workdir DIR --mode MODE`.

    Args:
        argv: the command line, program name first.
        modes: the modes there are, the default first; only that one needs a config, the others
            can take that of the workdir.
        options: the main's further options, an instance of a dataclass of str, int and float
            fields; each becomes `--FIELD=VALUE`.
        kind: the class of the configs, for `--help`.
        doc: the main's docstring, for `--help`.

    Raises:
        InputError: with one line, for anything that is wrong with it.
    """
    program, arguments = argv[0], _config_first(list(argv[1:]))
    values = flags.FlagValues()
    config_flags.DEFINE_config_file(
        "config", None, "Config file.", flag_values=values, sys_argv=[program, *arguments]
    )
    flags.DEFINE_string("workdir", None, "Default: out/<config file>.", flag_values=values)
    flags.DEFINE_enum("mode", modes[0], modes, "What to do.", flag_values=values)
    flags.DEFINE_bool(
        "distributed",
        "JAX_COORDINATOR_ADDRESS" in os.environ,
        "Call jax.distributed.initialize() first: one process per host.",
        flag_values=values,
    )
    fields = dataclasses.fields(options) if options is not None else ()
    kinds = {str: flags.DEFINE_string, int: flags.DEFINE_integer, float: flags.DEFINE_float}
    for field in fields:
        default = getattr(options, field.name)
        kinds[field.type](field.name, default, f"Default: {default!r}.", flag_values=values)
    given = bool(arguments) and _name(arguments[0]) == "config"
    if not {"--help", "-h", "-help", "--helpshort", "--helpfull"}.isdisjoint(arguments):
        config = _read_config(arguments[0].partition("=")[2]) if given else kind and kind()
        shown = help_text(_command(program), doc, modes, options, config)
        return Arguments(config, None, modes[0], False, help=shown)
    spec, cleared = "", []
    if given:
        spec, arguments, cleared = _check_overrides(arguments)
    try:
        rest = values([program, *arguments])[1:]
    except flags.Error as error:
        raise InputError(" ".join(str(error).split())) from None
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"in {spec}: {error}") from None
    if rest:
        raise InputError(f"unexpected argument {rest[0]!r}; write options as --name=value.")
    config, workdir, mode = (values[name].value for name in ("config", "workdir", "mode"))
    if not given and mode == modes[0]:
        raise InputError(
            f"no config given; add --config NAME, one of {', '.join(config_names())}, or a file.py."
        )
    if given:
        for *groups, field in cleared:
            setattr(functools.reduce(getattr, groups, config), field, None)
        config.check()
        workdir = workdir or os.path.join("out", _stem(spec))
    if fields:
        options = type(options)(**{field.name: values[field.name].value for field in fields})
    return Arguments(config, workdir, mode, values["distributed"].value, options)


def _command(program: str) -> str:
    """What the user calls: `train/dccl.py` -> `python -m train.dccl`."""
    path, extension = os.path.splitext(program)
    return f"python -m train.{os.path.basename(path)}" if extension else program


def _stem(spec: str) -> str:
    """The name of a config: `configs/ptb.py:small-real` -> `ptb-small-real`."""
    path, _, argument = spec.partition(":")
    stem = os.path.splitext(os.path.basename(path))[0]
    return f"{stem}-{argument}" if argument else stem


def _name(argument: str) -> str:
    return argument.lstrip("-").partition("=")[0] if argument.startswith("-") else ""


def _config_first(arguments: list[str]) -> list[str]:
    """Moves `--config=FILE` to the front: ml_collections refuses an override before it."""
    for i, argument in enumerate(arguments):
        if _name(argument) == "config":
            end = i + 1 if "=" in argument else i + 2
            spec = " ".join(arguments[i:end]).partition("=" if "=" in argument else " ")[2]
            return [f"--config={find_config(spec)}", *arguments[:i], *arguments[end:]]
    return arguments


def _read_config(spec: str) -> Any:
    """Reads the config of FILE[:ARGUMENT], which ml_collections reads once more.

    Raises:
        InputError: in one line, where ml_collections ends in a traceback, or in two lines.
    """
    path = spec.partition(":")[0]
    try:
        config = config_flags.config_flags.ConfigFileFlagParser("config").parse(spec)
    except InputError as error:  # ml_collections puts a traceback before its message
        reason = str(error).strip().splitlines()[-1].partition("InputError: ")
        raise InputError(f"--config {spec}: {reason[2] or reason[0]}") from None
    except Exception as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise InputError(f"config file {path}: {reason}") from None
    if not dataclasses.is_dataclass(config):
        raise InputError(
            f"config file {path}: get_config() returned {type(config).__name__}, "
            "expected a method's Config."
        )
    return config


def _check_overrides(arguments: list[str]) -> tuple[str, list[str], list[list[str]]]:
    """Checks the config file and the overridden fields.

    ml_collections ends in a traceback, or in two lines, for each of these.

    Returns:
        FILE[:ARGUMENT], the arguments left to it, and the fields to set to None, which it cannot.
    """
    spec = arguments[0].partition("=")[2]
    config = _read_config(spec)
    checked, cleared = arguments[:1], []
    for argument in arguments[1:]:
        if _name(argument).startswith("config."):
            name, equals, value = argument.partition("=")
            parts = _name(argument).split(".")[1:]
            kind = _check_field(config, parts, value if equals else None)
            if value.lower() == "none" and type(None) in typing.get_args(kind):
                cleared.append(parts)
                continue
            if typing.get_origin(kind) is tuple and equals and not value.startswith("("):
                element = typing.get_args(kind)[0]  # a,b as absl's lists are written
                argument = f"{name}={tuple(element(part) for part in value.split(','))}"
        checked.append(argument)
    return spec, checked, cleared


def _check_field(config: Any, parts: list[str], value: str | None) -> Any:
    """Checks that the field is there and that the value parses; returns the field's type."""
    owner = "config"
    for i, part in enumerate(parts):
        fields = {f.name: f for f in dataclasses.fields(config)}
        if part not in fields:
            raise InputError(f"{owner} has no field {part!r}; it has: {', '.join(fields)}.")
        kind = typing.get_type_hints(type(config))[part]
        config, owner = getattr(config, part), f"{owner}.{part}"
        if dataclasses.is_dataclass(config):
            if i == len(parts) - 1:
                names = ", ".join(f.name for f in dataclasses.fields(config))
                raise InputError(f"{owner} is a group; set one of its fields: {names}.")
        elif i < len(parts) - 1:
            raise InputError(f"{owner} is a {_type_name(kind)}, not a group of fields.")
        elif value is not None and not _parses(value, kind):
            group = owner.rpartition(".")[0]
            raise InputError(
                f"{owner} is {value!r}; expected {_type_name(kind)}. {group} has: "
                f"{', '.join(fields)}."
            )
    return kind


def _parses(value: str, kind: Any) -> bool:
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return any(_parses(value, k) for k in typing.get_args(kind))
    if typing.get_origin(kind) is tuple and not value.startswith("("):
        return all(_parses(part, typing.get_args(kind)[0]) for part in value.split(","))
    if kind is type(None):
        return value.lower() == "none"
    if kind is bool:
        return value.lower() in ("true", "false", "1", "0", "yes", "no", "t", "f", "y", "n")
    if kind in (int, float):
        try:
            kind(value)
        except ValueError:
            return False
    return True


def _type_name(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind)) if isinstance(kind, type) else str(kind)
