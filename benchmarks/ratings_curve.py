"""Test error against parameters: ANT, NBANT, dense and mixed-dimension factorisation.

Command:  python benchmarks/ratings_curve.py            (about half an hour on two cores)
          --path ml-100k: other ratings

Every run is `configs/movielens_1m.py:METHOD` with the 80/10/10 split, chosen on the validation
ratings; all methods have one bias, that of all ratings. The L2 of dense tables, too, is chosen on
the validation ratings of seed 0, for each dimension. ANT is compared at its own number of
parameters with the dense curve, interpolated in the logarithm of the parameters between dimensions
1, 2, 4, 8 and 16. Lines go to OUT.csv as they come, and are not run again; the picture to OUT.png.
"""

import argparse
import csv
import dataclasses
from pathlib import Path

import numpy as np

from jaxcompress import ant
from jaxcompress.ant.model import SIDES
from jaxcompress.ant.plan import make_eval_feed
from jaxcompress.ant.prepare import prepare
from jaxcompress.data.ratings.read import read_ratings
from jaxcompress.engine.loop import evaluate, fit
from jaxcompress.engine.page.charts import Curve, Panel, save_panels
from jaxcompress.engine.page.markdown import markdown_table

DENSE_L2 = {1: (0.0, 0.02), 2: (0.0, 0.02), 4: (0.02, 0.05), 8: (0.02, 0.05), 16: (0.02, 0.05)}
FIELDS = ("method", "size", "l2", "seed", "parameters", "anchors", "valid_mse", "test_mse")


def configure(flags, method, size, l2, seed):
    """The config of one run; `size` is a dimension, a number of parameters, or alpha."""
    config = ant.published_config(
        method, num_parameters=40_000, seed=seed,
        data=ant.DataConfig(path=flags.path),
    )  # fmt: skip
    penalty = config.penalty if l2 is None else dataclasses.replace(config.penalty, l2=l2)
    model = dataclasses.replace(config.model, biases=False)
    if method == "mf":
        model = dataclasses.replace(model, latent_dim=size)
    elif method == "mixdim":
        model = dataclasses.replace(model, alpha=size)
    else:
        penalty = dataclasses.replace(penalty, num_parameters=size)
    return dataclasses.replace(config, model=model, penalty=penalty)


def run(ratings, config, workdir):
    problem = prepare(ratings, config, say=lambda line: None)
    state = fit(problem.job, workdir=workdir, show_progress=False).state
    anchors = [int(np.asarray(state.aux[side]["active"]).sum()) for side in SIDES]
    figures = {
        split: problem.job.task.metrics(
            evaluate(problem.job, state, make_eval_feed(problem.splits[split]))
        )
        for split in ("valid", "test")
    }
    return {
        "parameters": round(figures["test"]["parameters"]),
        "anchors": "-" if config.model.table != "anchors" else "/".join(map(str, anchors)),
        "valid_mse": figures["valid"]["mse"],
        "test_mse": figures["test"]["mse"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", default="ml-1m")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sizes", default="20000,40000,80000")
    parser.add_argument("--out", default="out/ratings_curve")
    flags = parser.parse_args()
    ratings, out = read_ratings(flags.path), Path(flags.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    file, done = out.with_suffix(".csv"), {}
    if file.exists():
        with open(file) as stream:
            for row in csv.DictReader(stream):
                done[row["method"], row["size"], row["l2"], row["seed"]] = row

    def measure(method, size, l2, seed):
        key = (method, str(size), str(l2), str(seed))
        if key not in done:
            workdir = out.parent / "-".join((out.name, *key))
            figures = run(ratings, configure(flags, method, size, l2, seed), workdir)
            done[key] = {**dict(zip(FIELDS, key, strict=False)), **figures}
            new = not file.exists()
            with open(file, "a") as stream:
                writer = csv.DictWriter(stream, FIELDS)
                if new:
                    writer.writeheader()
                writer.writerow(done[key])
            print(*(f"{k} {v}" for k, v in done[key].items()), flush=True)
        row = done[key]
        return [float(row[name]) for name in ("parameters", "valid_mse", "test_mse")]

    sizes, seeds = list(map(int, flags.sizes.split(","))), range(flags.seeds)
    curves = {"MF": [], "ANT": [], "NBANT": [], "MixDim": []}
    for dim, choices in DENSE_L2.items():
        best = min(choices, key=lambda l2, dim=dim: measure("mf", dim, l2, 0)[1])
        curves["MF"].append([measure("mf", dim, best, seed) for seed in seeds])
    for size in sizes:
        curves["ANT"].append([measure("ant", size, None, seed) for seed in seeds])
    for alpha in (0.3, 0.6, 1.0):
        curves["MixDim"].append([measure("mixdim", alpha, None, 0)])
    for size in sizes:
        curves["NBANT"].append([measure("nbant", size, None, seed) for seed in seeds])
    means = {name: np.array([np.mean(runs, axis=0) for runs in curve])
             for name, curve in curves.items()}  # fmt: skip
    spread = {name: [np.ptp([r[2] for r in runs]) for runs in curve]
              for name, curve in curves.items()}  # fmt: skip
    dense = means["MF"][np.argsort(means["MF"][:, 0])]
    head = ["method", "parameters", "test MSE, mean", "spread of seeds",
            "dense at as many parameters"]  # fmt: skip
    rows = []
    for name, points in means.items():
        for (parameters, _, test), width in zip(points, spread[name], strict=True):
            same = np.interp(np.log(parameters), np.log(dense[:, 0]), dense[:, 2])
            rows.append([name, f"{parameters:,.0f}", f"{test:.4f}", f"{width:.4f}", f"{same:.4f}"])
    print("\n".join(markdown_table(head, rows)))
    curves = {name: Curve(sorted((p, t) for p, _, t in points)) for name, points in means.items()}
    panel = Panel(curves, "", "parameters", "test MSE", "x")
    save_panels([panel], out.with_suffix(".png"), f"{flags.path}: error against parameters")


if __name__ == "__main__":
    main()
