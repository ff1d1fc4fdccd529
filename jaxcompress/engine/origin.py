"""Where a run comes from: the commands and versions that trained it, its settings, its hashes."""

import hashlib
import json
import platform
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxcompress.engine.workdir import FINGERPRINT, flatten
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.json_files import read_json

_FILE = "origin.json"  # in a workdir
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy")
_CHUNK = 1 << 20  # bytes hashed at a time


class Origin(NamedTuple):
    """How a run was made.

    Attributes:
        commands: the command lines that trained it, in order.
        facts: versions, devices and hashes.
        settings: the config, by the fields' names on the command line.
    """

    commands: list[str]
    facts: dict[str, str]
    settings: dict[str, Any]


def note_origin(workdir: Path) -> None:
    """Adds this process to those that have trained a run, on process 0."""
    if jax.process_index() > 0:
        return
    found, file = _read(workdir), workdir / _FILE
    now = {
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
        "versions": {"jaxcompress": own_version(), **{name: version(name) for name in _PACKAGES}},
        "python": platform.python_version(),
        "devices": f"{jax.device_count()} {jax.devices()[0].device_kind}",
    }
    if now not in found:
        with atomic_write(file) as partial:
            partial.write_text(json.dumps({"processes": [*found, now]}, indent=2) + "\n")


def read_origin(workdir: Path) -> Origin:
    """Reads what is known of a run's origin; the files of `export` are hashed."""
    settings, facts = flatten(read_json(workdir / "config.json", "")), {}
    facts["hash of the data"] = settings.pop(FINGERPRINT, "")
    processes = _read(workdir)
    if processes:
        last = processes[-1]
        packages = ", ".join(f"{name} {number}" for name, number in last["versions"].items())
        facts["versions"] = f"{packages}, Python {last['python']}"
        facts["devices"] = last["devices"]
    for file in sorted(workdir.glob("export/*.safetensors")):
        facts[f"SHA-256 of export/{file.name}"] = _hash(file)
    commands = list(dict.fromkeys(process["command"] for process in processes))
    return Origin(commands, facts, settings)


def _read(workdir: Path) -> list[dict[str, Any]]:
    file = workdir / _FILE
    try:
        return read_json(file, "")["processes"] if file.exists() else []
    except (InputError, KeyError):  # it is no part of a run's result
        return []


def own_version() -> str:
    """The version of this package, which is loaded whenever a part of it is."""
    return sys.modules["jaxcompress"].__version__


def _hash(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
