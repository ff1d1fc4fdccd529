"""Fits that are kept: the figures of each as JSON beside the others.

A fit of a table is kept in OUT/TABLE/KEY.json, whichever benchmark asked for it. Where a fit of
FAISS would take longer than --limit, predicted from every 16th row, only that is kept.

Seconds are those of the processor, so that a busy machine does not change them, from vectors in
memory to codes of all rows in memory. Neighbours are as in `same_bytes.py`.
"""

import json
import os
import sys
import time
from pathlib import Path

import data
import faiss
import numpy as np
from candidates import KINDS, Candidate

from jaxcompress.compressed.neighbours import unit_rows
from jaxcompress.errors import InputError
from jaxcompress.storage.atomic import atomic_write

BATCH, SAMPLE, NEAREST = 4096, 1000, 10
PART = 16  # a sixteenth of the rows predicts the time for all
PREDICTED = 20_000  # rows from which on the time is predicted


def parser(description):
    result = data.parser(description)
    result.add_argument("--kinds", default=",".join(KINDS), help="what to fit; default: all")
    result.add_argument("--limit", type=float, default=900, help="seconds that a fit may take")
    result.add_argument("--threads", type=int, default=1)
    result.add_argument("--fits", default="out/fits", help="the folder of fits that are kept")
    result.add_argument("--no_fits", action="store_true", help="only write what the fits give")
    return result


def parse(parser):
    """Parses the flags and reads the table, on so many threads from here on."""
    flags = parser.parse_args()
    flags.kinds = flags.kinds.split(",")
    unknown = [kind for kind in flags.kinds if kind not in KINDS]
    if unknown:
        parser.error(f"no kind {unknown[0]!r}; there are {', '.join(KINDS)}")
    if hasattr(os, "sched_setaffinity"):  # what is started here inherits it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-flags.threads :])
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["OMP_NUM_THREADS"] = str(flags.threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # see same_bytes.py
    try:
        table = data.read(flags.vectors)
    except InputError as error:
        parser.error(str(error))
    if len(table) <= NEAREST:
        parser.error(f"{flags.vectors}: {len(table)} rows; neighbours need more than {NEAREST}")
    return flags, table


def fit_all(candidates, table, flags):
    """Fits what is not kept yet; returns candidate -> figures of all that is kept."""
    folder = Path(flags.fits, Path(flags.vectors).stem)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"vectors": Path(flags.vectors).name, "rows": len(table), "dim": table.shape[1]}
    kept = {}
    for candidate in candidates:
        file = folder / f"{candidate.key}.json"
        if not file.exists():
            if flags.no_fits or candidate.kind not in flags.kinds:
                continue
            print(f"{candidate.label} ...", file=sys.stderr, flush=True)
            figures = measure(candidate, table, flags, folder)
            with atomic_write(file) as partial:
                partial.write_text(json.dumps({"settings": settings, **figures}))
        kept[candidate] = json.loads(file.read_text())
        if kept[candidate]["settings"] != settings:
            raise SystemExit(f"{file} is of another table; choose another --fits")
    return kept


def measure(candidate: Candidate, table, flags, folder) -> dict:
    """Fits a candidate to a table; returns its figures, or the time that a fit would take."""
    faiss.omp_set_num_threads(flags.threads)
    if KINDS[candidate.kind].is_faiss and len(table) >= PREDICTED:
        started = time.process_time()
        candidate.fit(np.ascontiguousarray(table[::PART]))
        predicted = PART * (time.process_time() - started)
        if predicted > flags.limit:
            return {"predicted_seconds": predicted}
    started = time.process_time()
    fitted = candidate.fit(table)
    seconds = time.process_time() - started
    starts = range(0, len(table), BATCH)
    decoded = np.concatenate(
        [fitted.decode(np.arange(i, min(i + BATCH, len(table)))) for i in starts]
    )
    num_bytes = len(table) * fitted.row_bytes + fitted.table_bytes
    counted = candidate.num_bytes(*table.shape)
    assert counted in (None, num_bytes), (candidate, counted, num_bytes)
    return {
        "num_bytes": num_bytes,
        "row_bytes": fitted.row_bytes,
        "mean_squared_l2": mean_squared_l2(table, decoded),
        "same_neighbours": same_neighbours(table, decoded, folder / "neighbours.npy"),
        "seconds": seconds,
        "wall_seconds": fitted.seconds,
        "threads": flags.threads,
        "chosen": fitted.chosen,
    }


def mean_squared_l2(table, decoded):
    parts = (
        np.square(table[i : i + BATCH].astype(np.float64) - decoded[i : i + BATCH]).sum()
        for i in range(0, len(table), BATCH)
    )
    return float(sum(parts)) / len(table)


def sample(num_rows, rng):
    """Draws the ids of the rows whose neighbours are compared."""
    return rng.choice(num_rows, min(SAMPLE, num_rows), replace=False)


def same_neighbours(table, decoded, file=None):
    """Tells which share of the NEAREST neighbours of sampled rows is kept.

    Those of the table are kept in `file`, if one is named.
    """
    ids = sample(len(table), np.random.default_rng(0))
    if file is not None and file.exists():
        theirs = np.load(file)
    else:
        theirs = neighbours(table, ids)
        if file is not None:
            with atomic_write(file) as partial, partial.open("wb") as stream:
                np.save(stream, theirs)
    pairs = zip(theirs, neighbours(decoded, ids), strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) for a, b in pairs]) / NEAREST)


def neighbours(rows, ids):
    """The ids of the NEAREST other rows of largest cosine: int [len(ids), NEAREST]."""
    unit = unit_rows(rows)
    _, found = faiss.knn(unit[ids], unit, NEAREST + 1, metric=faiss.METRIC_INNER_PRODUCT)
    others = ([j for j in near if j != i] for i, near in zip(ids, found.tolist(), strict=True))
    return np.array([near[:NEAREST] for near in others])


def write_table(lines, out):
    """Writes the lines of OUT/table.md; returns them as a text."""
    text = "\n".join(lines) + "\n"
    with atomic_write(out / "table.md") as partial:
        partial.write_text(text)
    return text
