"""Test perplexity of a tied language model whose one table is compressed: codes against integers.

Command:  python -m train.tying --config configs/quickstart_lm.py --workdir out/lm
          python benchmarks/tied_language_model.py --workdir out/lm [--bytes 8,16,32,64]

The table, which is both embedding and classifier, is replaced on both sides; everything else stays
as it was trained. Bytes a row count codebooks and scales. Codes are made plainly; with the metric
H, the second moment of the model's hidden states, which the run exports; with weights, one over the
root of a word's rank by frequency; and with both, these weights and H + I, H scaled to a mean
diagonal of 1, since a tied table is read as input too. The logit error is e^T H e, the mean square
of what the error e of a row changes in its word's logit. Rows are kept as JSON beside OUT/table.md;
those that are there are not measured again.
"""

import argparse
import json
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np

import jaxcompress
from jaxcompress import tying
from jaxcompress.codes.integers import integer_bytes, quantize
from jaxcompress.engine.loop import restore_best
from jaxcompress.engine.page.markdown import markdown_table
from jaxcompress.engine.workdir import read_config
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.tying.evaluate import hidden_second_moment, split_perplexity

GROUPS = (64, 32)


def make_rows(table, moment, row_bytes):
    """Key -> label, and the function that gives the table read back, and its bytes."""
    num_rows, dim = table.shape
    rows = {"float32": ("float32", lambda: (table, table.nbytes))}
    for bits in (8, 4, 3, 2):
        for group in GROUPS:
            rows[f"int{bits}-{group}"] = (
                f"int{bits}, groups of {group}",
                lambda bits=bits, group=group: quantize(table, bits, group),
            )
    weights = np.arange(1, num_rows + 1) ** -0.5  # the vocabulary is in order of frequency
    both = moment + np.trace(moment) / dim * np.eye(dim)
    variants = {"": {}, "metric": {"metric": moment}, "weights": {"weights": weights},
                "both": {"metric": both, "weights": weights}}  # fmt: skip
    for bits in (2, 3):  # the better of their sizes, for ours to be compared with
        row_bytes = [*row_bytes, *(integer_bytes(1, dim, bits, group) for group in GROUPS)]
    for n in sorted(set(row_bytes)):
        for name, kwargs in variants.items():
            rows["-".join(filter(None, ["ours", str(n), name]))] = (
                f"ours, {n} bytes a row{', ' + name if name else ''}",
                lambda n=n, kwargs=kwargs: ours(table, n * num_rows, kwargs),
            )
    return rows


def ours(table, num_bytes, kwargs):
    """The table as codes of so many bytes in all."""
    codes = jaxcompress.compress(table, target_mb=num_bytes / 1e6, **kwargs)
    return codes.decode(np.arange(len(codes))), codes.num_bytes()


def measure(problem, state, table, moment, decoded, num_bytes):
    errors = decoded.astype(np.float64) - table
    both = {**state.params, "embedding": jnp.asarray(decoded, jnp.float32)}
    compressed = state.replace(params=problem.job.engine.place_shared(both))
    return {
        "num_bytes": num_bytes,
        "mean_squared_l2": float(np.square(errors).sum(axis=1).mean()),
        "logit_error": float(((errors @ moment) * errors).sum(axis=1).mean()),
        "valid_perplexity": split_perplexity(problem, compressed, "valid"),
        "test_perplexity": split_perplexity(problem, compressed, "test"),
    }


def write_table(results, num_rows, title, out):
    """Writes table.md of label -> figures, in rising order of the bytes; returns its text."""
    head = ["table", "bytes a row", "mean squared L2", "logit error", "valid perplexity",
            "test perplexity", "over float32"]  # fmt: skip
    rows = []
    own = results["float32"]["test_perplexity"]
    for label, figures in sorted(results.items(), key=lambda item: item[1]["num_bytes"]):
        over = figures["test_perplexity"] / own - 1
        rows.append([
            label, f"{figures['num_bytes'] / num_rows:.1f}", f"{figures['mean_squared_l2']:.4f}",
            f"{figures['logit_error']:.4f}", f"{figures['valid_perplexity']:,.1f}",
            f"{figures['test_perplexity']:,.1f}", f"{over:+.1%}",
        ])  # fmt: skip
    text = "\n".join([title, "", *markdown_table(head, rows)]) + "\n"
    with atomic_write(out / "table.md") as partial:
        partial.write_text(text)
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", required=True, help="of a run of train.tying, RE or REAL")
    parser.add_argument("--bytes", default="8,16,32,64", help="bytes a row, in all")
    parser.add_argument("--out", help="default: out/tied_language_model/NAME")
    flags = parser.parse_args()
    out = Path(flags.out or f"out/tied_language_model/{Path(flags.workdir).name}")
    out.mkdir(parents=True, exist_ok=True)
    problem = tying.make_problem(read_config(flags.workdir, tying.Config))
    if not problem.config.model.reuse_embedding:
        parser.error(f"workdir {flags.workdir} is of a model with two tables")
    state = restore_best(problem.job, flags.workdir).state
    table = np.asarray(state.params["embedding"])
    moment = hidden_second_moment(problem, state)
    settings = {"workdir": Path(flags.workdir).name, "step": int(state.step)}
    results = {}
    for key, (label, make) in make_rows(table, moment, [*map(int, flags.bytes.split(","))]).items():
        file = out / f"{key}.json"
        if not file.exists():
            print(f"{label} ...", file=sys.stderr, flush=True)
            figures = measure(problem, state, table, moment, *make())
            with atomic_write(file) as partial:
                partial.write_text(json.dumps({"settings": settings, **figures}))
        results[label] = json.loads(file.read_text())
        if results[label]["settings"] != settings:
            parser.error(f"{file} is of another state; choose another --out")
    rows, dim = table.shape
    title = f"{tying.config.describe(problem.config)}: {rows:,} words x {dim}, step {state.step}"
    print(write_table(results, rows, title, out))


if __name__ == "__main__":
    main()
