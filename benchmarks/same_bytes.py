"""What is left of a table at the same bytes a row: DCCL, FAISS's quantizers, PCA with integers.

Command:  python benchmarks/same_bytes.py --vectors FILE [--bytes 16] [--rows refined,opq4]

B bytes a row are 2B codebooks of 16 codewords, or B of 256. Every row is fitted in a process of its
own, on two threads of a CPU, and left in OUT as JSON; rows that are there are not fitted again
unless --rows names them. The table goes to OUT/table.md, the picture to OUT/table.png.

Where rows of unit length are compressed, cosines and neighbours are what counts; the errors are
against the rows as they are.

Seconds are from vectors in memory to codes of all rows in memory, compilation included. The paper's
training is that of `configs/glove_paper.py`, stopped after --rows_seen rows. Neighbours are the 10
other rows of largest cosine, of 1,000 sampled rows, found exactly: those of a compressed row among
all compressed rows against those of the original among all originals. Rows/s are the median of 50
batches of 4,096 random ids, as an array in memory.
"""

import concurrent.futures
import dataclasses
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

import bars
import data
import fits
import jax
import numpy as np
import quantizers

import jaxcompress
from jaxcompress import dccl
from jaxcompress.engine.page.markdown import markdown_table
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write

BATCH, NEAREST = fits.BATCH, fits.NEAREST
OURS = "refined"
COLUMNS = {
    "row_bytes": ("bytes a row", "d"),
    "table_bytes": ("codebook bytes", ",d"),
    "mean_l2": ("mean L2", ".4f"),
    "mean_squared_l2": ("mean squared L2", ".4f"),
    "mean_cosine": ("mean cosine", ".4f"),
    "same_neighbours": ("same neighbours of 10", ".1%"),
    "seconds": ("s to train", ".1f"),
    "rows_per_second": ("rows/s to decode", ",.0f"),
}


def make_rows(num_bytes, rows_seen):
    """Key of --rows -> label, and the function that fits it to a table."""
    m, b = 2 * num_bytes, num_bytes
    return {
        "paper": (f"DCCL {m}x16, the paper's training",
                  lambda table: train(table, m, "glove_paper", rows_seen, refine=False)),
        "trained": (f"DCCL {m}x16, ours, without refinement",
                    lambda table: train(table, m, "glove", None, refine=False)),
        "refined": (f"DCCL {m}x16, ours",
                    lambda table: train(table, m, "glove", None)),
        "fast": (f"DCCL {m}x16, ours, effort fast",
                 lambda table: train(table, m, "glove", None, effort="fast")),
        "best": (f"DCCL {m}x16, ours, effort best",
                 lambda table: train(table, m, "glove", None, effort="best")),
        "cosine": (f"DCCL {m}x16, ours, of rows of unit length",
                   lambda table: train(table, m, "glove", None, objective="cosine")),
        "pq4": (f"FAISS PQ{m}x4", lambda table: quantizers.product(table, m, 4)),
        "pq8": (f"FAISS PQ{b}x8", lambda table: quantizers.product(table, b, 8)),
        "opq4": (f"FAISS OPQ{m},PQ{m}x4",
                 lambda table: quantizers.opq(table, m, 4, same_shape=False)),
        "opq4same": (f"FAISS OPQ{m},PQ{m}x4, rotation for 4 bits",
                     lambda table: quantizers.opq(table, m, 4, same_shape=True)),
        "opq8": (f"FAISS OPQ{b},PQ{b}x8",
                 lambda table: quantizers.opq(table, b, 8, same_shape=False)),
        "rq": (f"FAISS RQ{m}x4, beam 5",
               lambda table: quantizers.additive(table, "ResidualQuantizer", m, 4)),
        "lsq": (f"FAISS LSQ{m}x4",
                lambda table: quantizers.additive(table, "LocalSearchQuantizer", m, 4)),
        "int8": (f"PCA to {b}, int8", lambda table: quantizers.scalar_pca(table, b, 8)),
        "int4": (f"PCA to {m}, int4", lambda table: quantizers.scalar_pca(table, m, 4)),
    }  # fmt: skip


@quantizers.timed
def train(table, num_codebooks, name, rows_seen, *, refine=True, **options):
    """Compresses by `configs/NAME.py`; with `rows_seen`, in so many rows, and the paper's encoder
    at half as many hidden units as codewords."""
    config = data.config(name)
    config.data = dccl.DataConfig(valid_rows=0)
    if rows_seen is not None:
        config.num_steps = max(rows_seen // config.batch_size, 1)
        config.model = dataclasses.replace(config.model, hidden_size=num_codebooks * 16 // 2)
    if not refine:
        config.refine = dccl.RefineConfig(num_rounds=0)
    codes = jaxcompress.compress(table, num_codebooks, 16, config=config, **options)
    decode = lambda ids: jax.block_until_ready(codes.lookup(ids))
    return decode, codes.codes_bytes // len(codes), codes.codebook_bytes


def read(flags):
    return data.read(flags.vectors)[: flags.max_rows]


def measure(key, flags):
    """Fits one row of the table in a process of its own; returns its figures."""
    table = read(flags)
    _, fit = make_rows(flags.bytes, flags.rows_seen)[key]
    fitted = fit(table)
    starts = range(0, len(table), BATCH)
    decoded = np.concatenate(
        [fitted.decode(np.arange(i, min(i + BATCH, len(table)))) for i in starts]
    )
    squares, cosines = np.empty(len(table)), np.empty(len(table))
    for i in starts:
        rows, ours = (part[i : i + BATCH].astype(np.float64) for part in (table, decoded))
        squares[i : i + BATCH] = ((rows - ours) ** 2).sum(axis=1)
        norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(ours, axis=1)
        cosines[i : i + BATCH] = (rows * ours).sum(axis=1) / np.maximum(norms, 1e-30)
    return {
        "row_bytes": fitted.row_bytes,
        "table_bytes": fitted.table_bytes,
        "mean_l2": np.sqrt(squares).mean(),
        "mean_squared_l2": squares.mean(),
        "mean_cosine": cosines.mean(),
        "same_neighbours": fits.same_neighbours(table, decoded),
        "seconds": fitted.seconds,
        "rows_per_second": decoding_speed(fitted.decode, len(table)),
    }


def decoding_speed(decode, num_rows):
    seconds, rng = [], np.random.default_rng(0)
    for _ in range(55):
        ids = rng.integers(0, num_rows, BATCH)
        started = time.perf_counter()
        decode(ids)
        seconds.append(time.perf_counter() - started)
    return BATCH / np.median(seconds[5:])  # the first ones compile


def write_table(results, bound, title, out):
    """Writes table.md and table.png of label -> figures; returns the text."""
    rows = [
        [label, *(format(figures[name], form) for name, (_, form) in COLUMNS.items())]
        for label, figures in results.items()
    ]
    lines = markdown_table(["", *(name for name, _ in COLUMNS.values())], rows)
    bits = 8 * next(iter(results.values()))["settings"]["bytes"]
    lines += [
        "",
        f"Rate-distortion bound of a Gaussian source of this covariance at {bits} bits a row: mean "
        f"squared L2 {bound:.4f}. Codebooks are not counted in it: on a small table they hold "
        "much of the rows, and the error can be less.",
    ]
    ours = next((f for f in results.values() if f["key"] == OURS), None)
    if ours is not None:
        error = ours["mean_squared_l2"]
        lines += ["", "Ours over each, mean squared L2 and time to train:", ""]
        lines += [
            f"- {label}: {error / f['mean_squared_l2']:.3f} in "
            f"{ours['seconds'] / f['seconds']:.2f} x the time"
            for label, f in results.items()
            if f is not ours
        ]
        lines.append(f"- the bound: {error / bound:.3f}")
    text = f"{title}\n\n" + "\n".join(lines) + "\n"
    with atomic_write(out / "table.md") as partial:
        partial.write_text(text)
    panels = ("mean_squared_l2", "same_neighbours", "seconds", "rows_per_second", "table_bytes")
    bars.draw(
        results, {name: COLUMNS[name] for name in panels}, title, out / "table.png",
        bound=bound, is_ours=lambda figures: figures["key"] == OURS,
    )  # fmt: skip
    return text


def parse():
    parser = data.parser(__doc__.splitlines()[0])
    keys = list(make_rows(16, 0))
    parser.add_argument("--bytes", type=int, default=16, help="of a row")
    parser.add_argument("--rows", help=f"fit these anew: {','.join(keys)}; default: what is left")
    parser.add_argument("--out", help="default: out/same_bytes/TABLE-BYTES")
    parser.add_argument("--max_rows", type=int, help="take only the first rows of the table")
    parser.add_argument("--rows_seen", type=int, default=2_500_000, help="by the paper's training")
    flags = parser.parse_args()
    flags.rows = [key for key in (flags.rows or "").split(",") if key]
    unknown = [key for key in flags.rows if key not in keys]
    if unknown:
        parser.error(f"no row {unknown[0]!r}; there are {', '.join(keys)}")
    if flags.bytes < 1:
        parser.error(f"--bytes is {flags.bytes}; it must be at least 1")
    return parser, flags


def main():
    parser, flags = parse()
    if hasattr(os, "sched_setaffinity"):  # what is started here inherits it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: quantizers.NUM_THREADS])
    os.environ["JAX_PLATFORMS"] = "cpu"
    # FAISS's threads wait for each other in a loop; on a shared machine that can take 100 times as
    # long as the work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        table = read(flags)
    except InputError as error:
        parser.error(str(error))
    if len(table) <= NEAREST:
        parser.error(f"{flags.vectors}: {len(table)} rows; neighbours need more than {NEAREST}")
    stem = Path(flags.vectors).stem
    out = Path(flags.out or f"out/same_bytes/{stem}-{flags.bytes}")
    out.mkdir(parents=True, exist_ok=True)
    settings = {
        "vectors": Path(flags.vectors).name, "rows": len(table), "dim": table.shape[1],
        "bytes": flags.bytes, "rows_seen": flags.rows_seen,
    }  # fmt: skip
    rows = make_rows(flags.bytes, flags.rows_seen)
    files = {key: out / f"{key}.json" for key in rows}
    for file in files.values():
        if file.exists() and json.loads(file.read_text())["settings"] != settings:
            parser.error(f"{file} was measured with other settings; choose another --out")
    left = [key for key, file in files.items() if not file.exists()]
    for key in flags.rows or left:
        print(f"{rows[key][0]} ...", file=sys.stderr, flush=True)
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
            figures = pool.submit(measure, key, flags).result()
        with atomic_write(files[key]) as partial:
            partial.write_text(json.dumps({"key": key, "settings": settings, **figures}))
    results = {
        label: json.loads(files[key].read_text())
        for key, (label, _) in rows.items()
        if files[key].exists()
    }
    bound = jaxcompress.rate_distortion_bound(table, 8 * flags.bytes)
    title = f"{stem}: {len(table):,} x {table.shape[1]}, {flags.bytes} bytes a row"
    print(write_table(results, bound, title, out))


if __name__ == "__main__":
    main()
