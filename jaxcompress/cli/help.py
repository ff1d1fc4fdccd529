"""`--help` of a main: its flags, and the fields of its config with types, values and meanings."""

import ast
import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from jaxcompress.cli.configs import config_names

_WIDTH = 100


def help_text(program: str, doc: str, modes: Sequence[str], options: Any, config: Any) -> str:
    """Lays out what `PROGRAM --help` prints.

    Args:
        program: what the user calls.
        doc: the docstring of the main.
        modes: the default first.
        options: a dataclass of the main's further flags; None: there are none.
        config: whose fields and values are listed; None: there are none.
    """
    rows = [
        ("--config NAME", f"a published config ({', '.join(config_names())}), or a file.py"),
        ("--config.FIELD=VALUE", "changes a field, listed below"),
        ("--workdir DIR", "where the run keeps everything; default: out/CONFIG"),
        ("--mode MODE", f"{', '.join(modes)}; default: {modes[0]}"),
        ("--distributed", "one process per host: calls jax.distributed.initialize() first"),
    ]
    if options is not None:
        comments = field_comments(type(options))
        for field in dataclasses.fields(options):
            meaning = f"{comments[field.name]}; default: {getattr(options, field.name)!r}"
            rows.append((f"--{field.name}={_type_name(field).upper()}", meaning))
    lines = [f"usage: {program} --config NAME [--config.FIELD=VALUE ...] [--workdir DIR]", ""]
    lines += [doc.strip(), ""]
    for name, meaning in rows:
        first, *others = textwrap.wrap(meaning, _WIDTH - 26)
        lines += [f"  {name:<24}{first}", *(f"{'':26}{line}" for line in others)]
    if config is not None:
        lines += ["", "fields of the config (--config.FIELD=VALUE), and what they are:"]
        lines += _field_lines(config)
    return "\n".join(lines)


def _field_lines(config: Any, prefix: str = "") -> Iterator[str]:
    """The fields of a config, those of its groups last."""
    comments, groups = field_comments(type(config)), []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            groups.append((field.name, value))
            continue
        yield f"  {prefix}{field.name}: {_type_name(field)} = {value!r}"
        bounds = str(field.metadata.get("bounds", ""))
        meaning = "; ".join(part for part in (comments.get(field.name, ""), bounds) if part)
        yield from textwrap.wrap(meaning, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    for name, value in groups:
        yield ""
        yield from _field_lines(value, f"{prefix}{name}.")


def _type_name(field: dataclasses.Field) -> str:
    return field.type.__name__ if isinstance(field.type, type) else str(field.type)


@functools.cache
def field_comments(kind: type) -> dict[str, str]:
    """Reads the comment above or beside each field of a dataclass, and of those it inherits."""
    comments = {}
    for base in reversed(kind.__mro__):
        if dataclasses.is_dataclass(base):
            comments |= _own_comments(base)
    return comments


def _own_comments(kind: type) -> dict[str, str]:
    source = textwrap.dedent(inspect.getsource(kind))
    lines, comments = source.split("\n"), {}
    for node in ast.parse(source).body[0].body:
        if isinstance(node, ast.AnnAssign):
            first = node.lineno - 1
            while lines[first - 1].strip().startswith("#"):
                first -= 1
            above = [line.strip("# ") for line in lines[first : node.lineno - 1]]
            beside = lines[node.end_lineno - 1][node.end_col_offset :].strip("# ")
            comments[node.target.id] = " ".join([*above, beside]).strip()
    return comments
