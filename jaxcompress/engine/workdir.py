"""A run's folder: one run at a time, and the config it was started with."""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxcompress.data.row_shards import RowShards
from jaxcompress.engine.config import as_earlier, from_dict, may_change
from jaxcompress.engine.lock import held
from jaxcompress.engine.mapper import make_split
from jaxcompress.engine.placement import from_shards
from jaxcompress.engine.report import say
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.json_files import read_json
from jaxcompress.storage.places import is_remote, reachable

_CHUNK = 8192  # rows hashed at a time
FINGERPRINT = "data_fingerprint"  # beside the settings in config.json
_RESTORE = "restore it from a copy, or begin anew in another workdir"


def fingerprint(
    rows: np.ndarray,
    words: list[str] | None,
    weights: np.ndarray | None = None,
    shards: RowShards | None = None,
) -> str:
    """A hash of the table's rows, words and weights: is it the same data?

    Of a table in shards it is one of the hashes of these, each made in the process that has it.
    """
    digest = hashlib.blake2b(f"{rows.shape}".encode(), digest_size=32)
    if shards is None or shards.count == 1:
        _add_rows(digest, rows)
    else:

        def of_shard(shard: int) -> np.ndarray:
            own = hashlib.blake2b(digest_size=32)
            _add_rows(own, rows[shards.rows(shard)])
            return np.frombuffer(own.digest(), np.uint8)

        split = make_split()
        digest.update(np.ascontiguousarray(from_shards(of_shard, shards, split)).data)
    digest.update("\n".join(words or ()).encode("utf-8", "surrogateescape"))
    if weights is not None:
        digest.update(np.ascontiguousarray(weights, np.float64).data)
    return digest.hexdigest()[:16]


def _add_rows(digest: Any, rows: np.ndarray) -> None:
    for start in range(0, len(rows), _CHUNK):
        digest.update(np.ascontiguousarray(rows[start : start + _CHUNK], np.float32).data)


@contextlib.contextmanager
def opened(workdir: str | os.PathLike, config: Any, data: str) -> Iterator[Path]:
    """Makes the folder (or goes on in it) and holds its lock; only process 0 writes.

    Args:
        workdir: the folder.
        config: the run's config, kept as `config.json`.
        data: the data's `fingerprint`.

    Raises:
        InputError: if another run holds it, it cannot be reached, or it is that of another config
            or other data.
    """
    path = reachable(workdir)
    for part in () if is_remote(path) else (path, *path.parents):
        if part.exists() and not part.is_dir():
            raise InputError(f"workdir {path}: {part} is a file; expected a folder.")
    if jax.process_index() > 0:
        yield path
        return
    path.mkdir(parents=True, exist_ok=True)
    with held(path):
        _check_same_run(path, config, data)
        yield path


def as_begun(config: Any, workdir: str | os.PathLike) -> Any:
    """Makes a config go on with what the run in `workdir` began, if that is older than some fields.

    Nothing else of the config is changed: `opened` compares it with the run's.

    Returns:
        The config, in which fields that the run does not know say what it did; the same config if
        there is no such field, or no run.
    """
    file = reachable(workdir) / "config.json"
    if not file.exists():
        return config
    began = as_earlier(config, read_json(file, _RESTORE))
    old, new = (flatten(dataclasses.asdict(some)) for some in (began, config))
    if changed := [f"{name} = {value}" for name, value in old.items() if value != new[name]]:
        say(f"note: the run in {workdir} is older than some settings: it goes on with "
            f"{', '.join(changed)}.")  # fmt: skip
    return began


def _check_same_run(path: Path, config: Any, data: str) -> None:
    new = {FINGERPRINT: data, **dataclasses.asdict(config)}
    file = path / "config.json"
    if file.exists():
        kept = read_json(file, _RESTORE)
        # What the file lacks is younger than the run, which did as the default does, or did before.
        default = dataclasses.asdict(as_earlier(type(config)(), kept))
        old, new = {**flatten(_plain(default)), **flatten(kept)}, flatten(_plain(new))
        same = new.keys() - may_change(config)
        other = [name for name in new if name in same and old.get(name) != new[name]]
        if FINGERPRINT in other:
            raise InputError(
                f"workdir {path} holds a run over other data; give another --workdir, or delete it."
            )
        if other:
            held = ", ".join(f"{name} = {old.get(name)}" for name in other)
            raise InputError(
                f"workdir {path} holds a run with {held}, this one has "
                f"{', '.join(str(new[name]) for name in other)}; give another --workdir, or delete "
                "it."
            )
    else:
        with atomic_write(file) as partial:
            partial.write_text(json.dumps(new, indent=2) + "\n")


def _plain(tree: dict[str, Any]) -> dict[str, Any]:
    """As it is read back from a file: tuples are lists."""
    return json.loads(json.dumps(tree))


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = value
    return flat


def read_config(workdir: str | os.PathLike, kind: type) -> Any:
    """Reads the config of the run in `workdir`, of type `kind`.

    Raises:
        InputError: if there is no run, or one of another method.
    """
    file = reachable(workdir) / "config.json"
    if not file.exists():
        raise InputError(f"workdir {workdir} holds no run (no {file}); train one first.")
    values = read_json(file, _RESTORE)
    known = {field.name for field in dataclasses.fields(kind)} | {FINGERPRINT}
    if others := sorted(values.keys() - known):
        raise InputError(
            f"workdir {workdir} holds a run of another method, with settings of "
            f"{', '.join(others)}; use the main that trained it."
        )
    try:
        config = as_earlier(from_dict(kind, values), values)
        config.check()
        return config
    except (TypeError, ValueError) as error:
        reason = str(error).removesuffix(".")
        raise InputError(f"{file} is damaged ({reason}); {_RESTORE}.") from None
