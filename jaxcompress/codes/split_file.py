"""The file of codes of a table that is split by rows: no process has to hold all of them.

Process 0 writes it, a shard at a time, and each process reads its own shards. It is the file that
`Codes.save` would write.

Axis letters: N rows, S shards, M codebooks.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxcompress.codes.files import FORMAT, FileContents, pack, unpack_tensors
from jaxcompress.codes.placed import PlacedCodes, own_codes
from jaxcompress.codes.rows import PreparedTable
from jaxcompress.engine.placement import place_shards
from jaxcompress.storage.bits import code_type, pack_codes, unpack_codes
from jaxcompress.storage.tensors import Large, mapped_tensors, write_with_large

_CODES = "codes"  # the tensor that is large


def write_split(
    path: Path,
    table: PreparedTable,
    placed: PlacedCodes,
    words: Sequence[str] | None,
    encoder: Mapping[str, np.ndarray] | None,
    metadata: Mapping[str, str],
) -> int:
    """Writes codes, codebooks, words and metadata on process 0; every process has to call it.

    Returns:
        The bytes of the file.
    """
    num_codebooks, num_codewords, _ = placed.codebooks.shape
    none = np.zeros((0, num_codebooks), code_type(num_codewords))
    contents = FileContents(
        none, placed.codebooks, words, encoder, metadata, placed.groups, placed.codebook_type
    )
    file = pack(contents)
    width = file.tensors.pop(_CODES).shape[1]
    codes = Large(_CODES, (table.shards.num_rows, width), _packed_shards(table, placed))
    num_bytes = write_with_large(path, *file, codes, is_writer=jax.process_index() == 0)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(f"wrote {path}")
    return num_bytes


def _packed_shards(table: PreparedTable, placed: PlacedCodes) -> Iterator[np.ndarray]:
    """Yields the packed codes of one shard after another, uint8 [n, bytes], in every process."""
    num_codewords, shards = placed.codebooks.shape[1], table.shards
    packed = ((shard, pack_codes(own, num_codewords)) for shard, own in own_codes(table, placed))
    if jax.process_count() == 1:
        yield from (own for _, own in packed)
        return
    shard_of_own, own = next(packed)
    for shard in range(shards.count):
        rows, is_own = shards.rows(shard), shard == shard_of_own
        sent = own if is_own else np.zeros((rows.stop - rows.start, own.shape[1]), np.uint8)
        yield np.asarray(multihost_utils.broadcast_one_to_all(sent, is_source=is_own))
        if is_own:
            shard_of_own, own = next(packed, (None, own))


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
