"""Tables that are split by rows: when, over how many shards, and what is known of all their rows.

Axis letters: N rows, S shards, D dimensions.
"""

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from jaxcompress.codes.rows import is_too_large
from jaxcompress.codes.scale import (
    exponent_of,
    heavy_rows_note,
    heavy_sums,
    note_of_heavy,
    scale_exponent,
    some_norms,
)
from jaxcompress.data.batches import hold_out_rows
from jaxcompress.data.row_shards import RowShards
from jaxcompress.dccl.config import Config
from jaxcompress.dccl.task import RowStatistics, row_statistics, statistics_of, sum_rows
from jaxcompress.engine.mapper import make_split
from jaxcompress.engine.placement import from_shards, own_part
from jaxcompress.engine.workdir import read_config
from jaxcompress.errors import InputError
from jaxcompress.storage.places import reachable


def settle_shard(
    rows: np.ndarray,
    config: Config,
    say: Callable[[str], None],
    devices: Sequence[jax.Device] | None = None,
) -> Config:
    """Gives the config with `data.shard` true if the table should be split and nothing is said.

    That is so if it is too large for a device, and there are several; never on CPU, where devices
    share one memory, nor with settings that a split table cannot have. Devices are all of all
    processes, unless they are given.
    """
    devices = jax.devices() if devices is None else devices
    data, count = config.data, len(devices)
    if data.shard is not None or data.stream or count == 1 or config.parallel == "pmap":
        return config
    if devices[0].platform == "cpu" or not is_too_large(rows) or data.num_shards % count:
        return config
    if config.model.codebooks_per_group or config.batch_size % data.num_shards:
        return config
    say(
        f"note: the table takes over half of a device's memory, so that its rows are split over "
        f"the {count} devices; data.shard=False sends them from the host instead."
    )
    return dataclasses.replace(config, data=dataclasses.replace(data, shard=True))


def as_split(config: Config, workdir: str | os.PathLike) -> Config | None:
    """Gives the config with `data.shard` as the run in `workdir` has it; None if there is no run.

    What the memory of the devices decided when it began holds on any others. What the config says
    itself is left.
    """
    if not (reachable(workdir) / "config.json").exists():
        return None
    shard = config.data.shard
    if shard is None:
        shard = read_config(workdir, Config).data.shard
    return dataclasses.replace(config, data=dataclasses.replace(config.data, shard=shard))


def shards_of(num_rows: int, config: Config) -> RowShards:
    """Tells how the rows of a table are split, by `data.shard`.

    Raises:
        InputError: if devices cannot divide the shards, or these have too few rows.
    """
    data = config.data
    if not data.shard:
        return RowShards(num_rows)
    count, num_devices = data.num_shards, jax.device_count()
    if config.parallel == "pmap":
        raise InputError('data.shard is True; it needs parallel = "jit", not "pmap".')
    if config.model.codebooks_per_group:
        raise InputError(
            "data.shard is True; codebooks in groups are for tables that are not split "
            "(model.codebooks_per_group = 0)."
        )
    if count % num_devices:
        raise InputError(
            f"data.num_shards {count} must be a multiple of the {num_devices} devices."
        )
    if num_rows < 4 * count:
        raise InputError(
            f"{num_rows} rows are too few for data.num_shards = {count}; expected four for each."
        )
    return RowShards(num_rows, count)


def rows_of_process(shards: RowShards) -> slice:
    """Tells which rows the devices of this process have: all, if the table is not split."""
    if shards.count == 1:
        return slice(0, shards.num_rows)
    own = own_part(make_split(), shards.count)
    return slice(shards.rows(own.start).start, shards.rows(own.stop - 1).stop)


def hold_out(shards: RowShards, config: Config) -> np.ndarray:
    """Draws the rows to hold out, by the seed: int32, ascending. Every shard gives its share.

    Raises:
        InputError: if none are left to train on.
    """
    num_rows, num_valid = shards.num_rows, config.data.valid_rows
    if num_valid is None:
        num_valid = min(num_rows // 20, 1000)
    if not 0 <= num_valid < num_rows:
        raise InputError(
            f"data.valid_rows is {num_valid}; the table has {num_rows} rows and "
            "some must be left to train on."
        )
    drawn = []
    for shard in range(shards.count):
        rows, share = shards.rows(shard), RowShards(num_valid, shards.count).rows(shard)
        counts = rows.stop - rows.start, share.stop - share.start
        drawn.append(rows.start + hold_out_rows(*counts, shards.seed(config.seed, shard))[1])
    return np.concatenate(drawn).astype(np.int32)


def rows_to_train(shards: RowShards, held_out: np.ndarray, shard: int) -> np.ndarray:
    """Gives the rows of a shard that are trained on, by their place in it: int32, ascending."""
    rows = shards.rows(shard)
    is_trained = np.ones(rows.stop - rows.start, bool)
    is_trained[shards.own(held_out, shard)] = False
    return np.flatnonzero(is_trained).astype(np.int32)


class Survey(NamedTuple):
    """What is known of all rows: `scale_exponent`, `row_statistics` of those that are trained on,
    and `heavy_rows_note`."""

    exponent: int
    statistics: RowStatistics
    note: str | None


def survey(rows: np.ndarray, shards: RowShards, held_out: np.ndarray) -> Survey:
    """Looks at all rows; of a split table each process looks at those that it has.

    There, the median length is that of rows at equal distances.
    """
    if shards.count == 1:
        exponent, trained = scale_exponent(rows), rows_to_train(shards, held_out, 0)
        statistics = row_statistics(rows, trained, exponent)
        return Survey(exponent, statistics, heavy_rows_note(rows))
    split = make_split()
    own = lambda shard: rows[shards.rows(shard)]
    norms = from_shards(lambda shard: some_norms(own(shard)), shards, split)
    exponent, median = exponent_of(norms.reshape(-1)), np.median(norms[:, :-1])

    def sums_of(shard: int) -> np.ndarray:
        trained = rows_to_train(shards, held_out, shard)
        sums = sum_rows(own(shard), trained, exponent), heavy_sums(own(shard), median)
        return np.concatenate(sums)

    sums = from_shards(sums_of, shards, split).sum(axis=0)
    statistics = statistics_of(sums[:-3], shards.num_rows - len(held_out))
    return Survey(exponent, statistics, note_of_heavy(shards.num_rows, sums[-3:]))
