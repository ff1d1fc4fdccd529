"""The file of codes of a table that is split by rows: no process has to hold all of them.

Each process writes its own shards, which process 0 joins to the one file that `Codes.save` would
write, a shard at a time; and each process reads its own shards of it.

Axis letters: N rows, S shards, M codebooks.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxcompress.codes.files import FORMAT, FileContents, pack, unpack_tensors
from jaxcompress.codes.placed import PlacedCodes, own_codes
from jaxcompress.codes.rows import PreparedTable
from jaxcompress.engine.placement import place_shards
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.bits import code_bits, code_type, pack_codes, unpack_codes
from jaxcompress.storage.places import delete_folder
from jaxcompress.storage.tensors import Large, mapped_tensors, write_with_large

_CODES = "codes"  # the tensor that is large


def write_split(
    path: Path,
    table: PreparedTable,
    placed: PlacedCodes,
    words: Sequence[str] | None,
    encoder: Mapping[str, np.ndarray] | None,
    metadata: Mapping[str, str],
) -> None:
    """Writes codes, codebooks, words and metadata; every process has to call it.

    What each of several processes writes lies in the folder `.NAME.parts` beside the file, until
    the file is whole.
    """
    num_codebooks, num_codewords, _ = placed.codebooks.shape
    num_rows, width = table.shards.num_rows, -(-num_codebooks * code_bits(num_codewords) // 8)
    packed = ((shard, pack_codes(own, num_codewords)) for shard, own in own_codes(table, placed))
    chunks = (own for _, own in packed)
    parts, is_one_of_several = path.parent / f".{path.name}.parts", jax.process_count() > 1
    if is_one_of_several:
        parts.mkdir(exist_ok=True)
        for shard, own in packed:
            with atomic_write(parts / f"{shard}") as partial:
                partial.write_bytes(own.data)
        multihost_utils.sync_global_devices(f"wrote the parts of {path}")
        chunks = (_read_part(parts / f"{shard}", width) for shard in range(table.shards.count))
    none = np.zeros((0, num_codebooks), code_type(num_codewords))
    contents = FileContents(
        none, placed.codebooks, words, encoder, metadata, placed.groups, placed.codebook_type
    )
    if jax.process_index() == 0:
        file = pack(contents)
        del file.tensors[_CODES]
        write_with_large(path, *file, Large(_CODES, (num_rows, width), chunks))
        delete_folder(parts)
    if is_one_of_several:
        multihost_utils.sync_global_devices(f"wrote {path}")


def _read_part(path: Path, width: int) -> np.ndarray:
    return np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, width)


def read_split(
    path: Path, table: PreparedTable, step: str
) -> tuple[PlacedCodes, dict[str, str]] | None:
    """Reads what `write_split` wrote, each process its own shards; every process has to call it.

    Args:
        path: the file.
        table: the rows that the codes stand for.
        step: what the metadata should have as "step".

    Returns:
        Codes and metadata; None if the file is not there or of another step.
    """
    is_there = path.exists() and _step_of(path) == step
    if jax.process_count() > 1:  # process 0 decides for all
        is_there = bool(multihost_utils.broadcast_one_to_all(np.array(is_there)))
    if not is_there:
        return None
    with mapped_tensors(path, FORMAT) as (tensors, metadata):
        packed = tensors[_CODES]
        found = unpack_tensors({**tensors, _CODES: packed[:0]}, metadata)
        codes = place_shards(_Packed(packed, *found.codebooks.shape[:2]), table.shards, table.split)
    return PlacedCodes(codes, found.codebooks, found.groups, found.codebook_type), metadata


def _step_of(path: Path) -> str | None:
    with mapped_tensors(path, FORMAT) as (_, metadata):
        return metadata.get("step")


class _Packed:
    """Packed codes [N, bytes], unpacked where a run of rows is taken."""

    def __init__(self, packed: np.ndarray, num_codebooks: int, num_codewords: int):
        self._packed, self._sizes = packed, (num_codebooks, num_codewords)
        self.shape = (len(packed), num_codebooks)
        self.dtype = np.dtype(code_type(num_codewords))

    def __getitem__(self, rows: slice) -> np.ndarray:
        return unpack_codes(np.asarray(self._packed[rows]), *self._sizes)
