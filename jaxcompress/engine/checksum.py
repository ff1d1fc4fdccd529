"""A checksum of what a checkpoint holds, whatever devices it lies on."""

import zlib
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxcompress.storage.checksums import join_crc32


def checksum_of(state: Any) -> int:
    """Computes the CRC-32 of all arrays of a state: what orbax stores has none of its own."""
    checksum = 0
    for leaf in jax.tree.leaves(state):
        for _, part, num_bytes in _checked_parts(leaf):
            checksum = join_crc32(checksum, part, num_bytes)
    return checksum


def _checked_parts(leaf: jax.Array) -> list[list[int]]:
    """Gives start, CRC-32 and bytes of each part of an array, in order; one if it is not split.

    A process reads the parts that it has, and no process has to hold all of them. Arrays are split
    along their first axis alone.
    """
    own = {}
    for shard in leaf.addressable_shards:
        start = shard.index[0].indices(len(leaf))[0] if leaf.ndim else 0
        if start not in own:
            part = np.ascontiguousarray(shard.data).reshape(-1).view(np.uint8)
            own[start] = [start, zlib.crc32(part), part.nbytes]
    parts = np.array(list(own.values()), np.int64)
    if not leaf.is_fully_replicated and jax.process_count() > 1:
        sent = multihost_utils.process_allgather(parts.view(np.uint8))  # jax has no int64
        parts = np.unique(np.asarray(sent).reshape(-1).view(np.int64).reshape(-1, 3), axis=0)
    return sorted(parts.tolist())
