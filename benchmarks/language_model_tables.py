"""Perplexity against the bytes of a language model's table: kinds of table, trained inside or not.

Command:  python benchmarks/language_model_tables.py --path ptb --epochs 3

The model is `configs/CONFIG` with one table for input and output, at a quarter and a sixteenth of
the bytes of the dense one. Tables in training: low rank, hashed rows, codes (those of the dense
run's table, whose codebooks are trained anew with the model), ANT and NBANT. Tables after training:
the dense run's, compressed to codes, by the metric of the model's hidden states, and to low rank by
its principal components.

One procedure chooses for all, by validation perplexity after --choice_steps steps of a model with
the smallest table: SGD or Adam for the table (anchors: proximal Yogi), each at a rate that starts
at the model's, or at 0.01 if it adapts, and is taken 3 times larger, or smaller, while that helps;
of anchors, the penalty then is 0 or one of two others.
Whatever is done lies in OUT and is not done again; a run that was stopped goes on. The table goes
to OUT/table.md, the picture to OUT/table.png.
"""

import argparse
import dataclasses
import json
import runpy
import sys
from pathlib import Path

import data
import numpy as np

import jaxcompress
from jaxcompress import tying
from jaxcompress.codes.sizes import Size
from jaxcompress.compressed.low_rank import LowRank
from jaxcompress.engine.loop import evaluate, fit
from jaxcompress.engine.page.charts import Curve, Panel, lines, save_png
from jaxcompress.engine.page.markdown import markdown_table
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.tables.config import OF_ANCHORS, TableConfig
from jaxcompress.tying.prepare import make_problem

LABELS = {
    "dense": "dense",
    "low_rank": "low rank",
    "hashed": "hashed rows",
    "codes": "codes, codebooks trained inside",
    "ant": "ANT",
    "nbant": "NBANT",
    "codes-after": "codes, after training",
    "low_rank-after": "low rank, after training",
}
INSIDE = ("low_rank", "hashed", "codes", "ant", "nbant")
PENALTIES = (0.0, 1e-3, 1e-2)
NUM_CODEWORDS, MOST_TRIALS = 16, 6


def configure(flags, table, **others):
    """The config of a run with such a table."""
    name, _, spec = flags.config.partition(":")
    config = runpy.run_path(str(data.ROOT / "configs" / f"{name}.py"))["get_config"](spec)
    text = dataclasses.replace(config.data, path=flags.path)
    if flags.max_vocab:
        text.max_vocab = flags.max_vocab
    return dataclasses.replace(
        config, data=text, embedding=table, num_epochs=flags.epochs, report=False, **others
    )


def table_of(kind, budget, shape, codes=""):
    """The config of a kind of so many bytes at most, for a table of such a shape."""
    (num_rows, dim), row = shape, 4 * shape[1]
    if kind == "low_rank":
        return TableConfig(kind=kind, rank=max(1, budget // (4 * (num_rows + dim))))
    if kind == "hashed":  # as codes: two a word, which a file has too
        rows = budget // row
        while Size(2, max(rows // 2, 2)).bytes_per_row * num_rows + rows * row > budget:
            rows -= 1
        return TableConfig(kind=kind, num_rows=rows, num_hashes=2)
    if kind == "codes":
        return TableConfig(kind=kind, codes=str(codes))
    if kind in OF_ANCHORS:  # a fifth of the bytes for anchors, the rest for entries of 5
        anchors = min(budget // 5 // row, 255)
        entries = (budget - anchors * row - num_rows) // 5
        return TableConfig(
            kind=kind, num_anchors=anchors // 2 if kind == "nbant" else anchors,
            max_anchors=max(anchors, 1), delta=max(anchors // 20, 1), nonzeros=entries,
        )  # fmt: skip
    return TableConfig()


def kept(file, make):
    """Reads JSON from a file, or makes and writes it."""
    if not file.exists():
        found = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as partial:
            partial.write_text(json.dumps(found, indent=1))
    return json.loads(file.read_text())


def trial(flags, table):
    """Validation perplexity after a short run; infinite if it comes apart."""
    config = configure(flags, table, num_steps=flags.choice_steps)
    adam = "-adam" if table.adaptive else ""
    name = f"{table.kind}{adam}-{table.learning_rate:.3g}-{table.penalty:g}"

    def run():
        print(f"{name} ...", file=sys.stderr, flush=True)
        job = make_problem(config).job
        try:
            state = fit(job, show_progress=False, say=lambda line: None).state
        except jaxcompress.errors.Diverged:
            return float("inf")
        (feed,) = job.evaluations.values()
        return job.task.metrics(evaluate(job, state, feed))["perplexity"]

    return kept(flags.out / "choices" / f"{name}.json", run)


def with_rate(flags, table):
    """The table at the best rate, found by steps of 3, and its perplexity."""
    adapts = table.adaptive or table.kind in OF_ANCHORS
    start = 0.01 if adapts else configure(flags, table).optimizer.learning_rate
    at = lambda step: dataclasses.replace(table, learning_rate=start * 3.0**step)
    found = {0: trial(flags, at(0))}
    for direction in (1, -1):
        step = direction
        while len(found) < MOST_TRIALS:
            found[step] = trial(flags, at(step))
            if not found[step] < found[step - direction]:
                break
            step += direction
        if min(found, key=found.get) != 0:
            break
    best = min(found, key=found.get)
    return at(best), found[best]


def choose(flags, table):
    """The table with the optimiser, the rate and the penalty that validation prefers."""
    of_anchors = table.kind in OF_ANCHORS
    kinds = (
        [table] if of_anchors else [dataclasses.replace(table, adaptive=a) for a in (False, True)]
    )
    table, _ = min((with_rate(flags, kind) for kind in kinds), key=lambda found: found[1])
    penalties = PENALTIES if of_anchors else PENALTIES[:1]
    with_penalty = [dataclasses.replace(table, penalty=penalty) for penalty in penalties]
    return min(with_penalty, key=lambda table: trial(flags, table))


def train(flags, key, table):
    """Figures of a whole run."""

    def run():
        print(f"{key}: {table} ...", file=sys.stderr, flush=True)
        summary = tying.train(configure(flags, table), str(flags.out / "runs" / key)).summary
        dense = 4 * summary["vocab_size"] * configure(flags, table).model.hidden_size
        names = ("valid_perplexity", "test_perplexity", "num_epochs", "best_epoch")
        adapts = "Yogi" if table.kind in OF_ANCHORS else "Adam" if table.adaptive else "SGD"
        chosen = {"by": adapts, "rate": table.learning_rate, "penalty": table.penalty}
        return {"bytes": summary.get("embedding_bytes", dense), **chosen,
                **{name: summary[name] for name in names}}  # fmt: skip

    return kept(flags.out / f"{key}.json", run)


def measure_after(flags, key, make):
    """Figures of the dense run with a table in the place of its own; and the table's file."""
    file = flags.out / f"{key}.safetensors"
    if not file.exists():
        print(f"{key} ...", file=sys.stderr, flush=True)
        make().save(file)

    def measure():
        found = tying.evaluate_codes(flags.out / "runs" / "dense", file)
        figures = {s: found[f"compressed_{s}_perplexity"] for s in ("valid", "test")}
        return {"bytes": found["compressed_bytes"],
                **{f"{split}_perplexity": value for split, value in figures.items()}}  # fmt: skip

    return file, kept(flags.out / f"{key}.json", measure)


def as_codes(folder, rows, words, budget):
    """The table as codes of so many bytes at most, in float32 as all others."""
    num_codebooks = max(
        m for m in range(1, 1025)
        if Size(m, NUM_CODEWORDS).num_bytes(*rows.shape, codebook_type="float32") <= budget
    )  # fmt: skip
    moment = np.load(folder / "hidden_second_moment.npy")
    return jaxcompress.compress(
        rows, num_codebooks, NUM_CODEWORDS, words=words, metric=moment, codebook_type="float32"
    )


def as_low_rank(rows, words, budget):
    """The table's best approximation of its rank."""
    rank = table_of("low_rank", budget, rows.shape).rank
    left, values, right = np.linalg.svd(rows, full_matrices=False)
    return LowRank(left[:, :rank] * values[:rank], right[:rank], words)


def measure(flags):
    """Yields key, kind and figures of each row."""
    dense = choose(flags, TableConfig())
    yield "dense", train(flags, "dense", dense)
    folder = flags.out / "runs" / "dense" / "export"
    rows = np.load(folder / "embedding.npy")
    words = (folder / "embedding.words.txt").read_text().splitlines()
    largest = max(flags.sizes)
    for size in sorted(flags.sizes, reverse=True):
        budget = rows.nbytes // size
        make = lambda budget=budget: as_low_rank(rows, words, budget)
        yield "low_rank-after", measure_after(flags, f"low_rank-after-{size}", make)[1]
        make = lambda budget=budget: as_codes(folder, rows, words, budget)
        codes, figures = measure_after(flags, f"codes-after-{size}", make)
        yield "codes-after", figures
        for kind in flags.kinds:
            smallest = flags.out / f"codes-after-{largest}.safetensors"
            chosen = choose(flags, table_of(kind, rows.nbytes // largest, rows.shape, smallest))
            table = table_of(kind, budget, rows.shape, codes)
            for name in ("adaptive", "learning_rate", "penalty"):
                setattr(table, name, getattr(chosen, name))
            yield kind, train(flags, f"{kind}-{size}", table)


def write_table(results, flags):
    """Writes table.md and table.png of (kind, figures); returns the text."""
    dense = results[0][1]["bytes"]
    head = ["table", "bytes", "of dense", "by", "rate", "penalty", "validation", "test"]
    rows = [
        [LABELS[kind], f"{f['bytes']:,}", f"1/{dense / f['bytes']:.1f}", f.get("by", "-"),
         show(f.get("rate")),         show(f.get("penalty") if kind in OF_ANCHORS else None),
         f"{f['valid_perplexity']:.1f}", f"{f['test_perplexity']:.1f}"]
        for kind, f in results
    ]  # fmt: skip
    title = f"{flags.config} on {flags.path}: {flags.epochs:g} epochs, one seed; perplexity"
    text = "\n".join([title, "", *markdown_table(head, rows)]) + "\n"
    with atomic_write(flags.out / "table.md") as partial:
        partial.write_text(text)
    curves = {}
    for kind, label in LABELS.items():
        points = sorted((f["bytes"], f["test_perplexity"]) for k, f in results if k == kind)
        if points:
            after = "dashed" if len(points) > 1 else "points"
            style = "star" if kind == "dense" else after if "after" in kind else "line"
            curves[label] = Curve(points, style)
    panel = Panel(curves, title, "bytes of the table", "test perplexity", "x")
    save_png(lines(panel, 640, 380), flags.out / "table.png")
    return text


def show(number):
    return "-" if number is None else f"{number:.3g}"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="ptb:small-re", help="NAME:ARGUMENT of configs/")
    parser.add_argument("--path", default="ptb", help="folder of the text, or stdlib")
    parser.add_argument("--max_vocab", type=int, help="words at most; default: as the config says")
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--choice_steps", type=int, default=200)
    parser.add_argument("--sizes", default="4,16", help="shares of the dense table's bytes, 1/SIZE")
    parser.add_argument("--kinds", default=",".join(INSIDE))
    parser.add_argument("--out", type=Path, default=Path("out/language_model_tables"))
    flags = parser.parse_args()
    flags.sizes = [int(size) for size in flags.sizes.split(",")]
    flags.kinds = flags.kinds.split(",")
    return flags


def main():
    flags, results = parse(), []
    flags.out.mkdir(parents=True, exist_ok=True)
    for row in measure(flags):
        results.append(row)
        text = write_table(results, flags)
    print(text)


if __name__ == "__main__":
    main()
