"""Test error against parameters: ANT, NBANT, dense and mixed-dimension factorisation, and biases.

Command:  python benchmarks/ratings_curve.py --path ml-1m          (hours on two busy cores)
          --path ml-100k, or --path amazon --columns item,user,rating,timestamp --min-count 5
          --seeds 1 --methods mf,ant: less of it

Every run is `configs/ratings.py:METHOD`: the 80/10/10 split of its seed, biases of users and items,
which are counted. L2 and the number of anchors are chosen on the validation ratings of seed 0 by
the same procedure for each method and size, `ant.choose`. Sizes are dimensions of dense tables,
shares of 16 numbers for each row that has training ratings, or powers of mixed dimensions. "dense,
as many" is the dense table within that share, but for the constant, of least validation error. All
runs go to OUT.csv as they come, and are not made again; the picture to OUT.png.
"""

import argparse
import csv
import dataclasses
from pathlib import Path

import numpy as np

from jaxcompress import ant
from jaxcompress.ant.alone import or_biases_alone
from jaxcompress.ant.choose import choose, with_choice
from jaxcompress.ant.effects import rows_of
from jaxcompress.ant.plan import make_eval_feed
from jaxcompress.ant.prepare import prepare
from jaxcompress.data.ratings.read import read_ratings
from jaxcompress.engine.loop import evaluate, fit
from jaxcompress.engine.page.charts import Curve, Panel, save_panels
from jaxcompress.engine.page.markdown import markdown_table

SIZES = {"mf": (1, 3, 7), "ant": (0.125, 0.25, 0.5), "nbant": (0.125, 0.25, 0.5),
         "mixdim": (0.3, 0.6, 1.0)}  # fmt: skip
KEY = ("method", "size", "seed", "l2", "anchors")
FIGURES = ("parameters", "tables_valid_mse", "valid_mse", "test_mse")  # the last of what is left


def configure(data, method, size, seed):
    """The config of one run; `size` is a dimension, a share, or alpha."""
    share = size if method in ("ant", "nbant") else 0.25
    config = ant.published_config(method, share=share, seed=seed, data=data)
    model = config.model
    if method == "mf":
        model = dataclasses.replace(model, latent_dim=size)
    elif method == "mixdim":
        model = dataclasses.replace(model, alpha=size)
    return dataclasses.replace(config, model=model)


class Runs:
    """Figures of runs by `KEY`, in a file that is gone on with."""

    def __init__(self, file):
        self.file, self.done = file, {}
        if file.exists():
            with open(file) as stream:
                for row in csv.DictReader(stream):
                    self._keep(row)

    def _keep(self, row):
        self.done[tuple(row[name] for name in KEY)] = [float(row[name]) for name in FIGURES]

    def _write(self, *values):
        row = dict(zip(KEY + FIGURES, map(str, values), strict=True))
        self._keep(row)
        is_new = not self.file.exists()
        with open(self.file, "a") as stream:
            writer = csv.DictWriter(stream, KEY + FIGURES)
            if is_new:
                writer.writeheader()
            writer.writerow(row)
        print(*(f"{name} {value}" for name, value in row.items()), flush=True)

    def figures(self, ratings, config, method, size):
        """Those of a run, which is made unless it is known; and of the baselines beside it."""
        anchors = config.model.user_anchors if method == "ant" else "-"
        key = (method, size, config.seed, config.penalty.l2, anchors)
        if (known := self.done.get(tuple(map(str, key)))) is not None:
            return known
        problem = prepare(ratings, config, say=print)
        fitted = fit(problem.job, show_progress=False, keep_best=True)
        left = or_biases_alone(problem, fitted, print)
        for row in rows_of(problem.effects, ratings, problem.splits):
            if (row["method"], "-", str(config.seed), "-", "-") not in self.done:
                errors = (row["valid_mse"], row["valid_mse"], row["test_mse"])
                self._write(row["method"], "-", config.seed, "-", "-", row["parameters"], *errors)
        with_tables, valid, test = (
            problem.job.task.metrics(
                evaluate(problem.job, some.state, make_eval_feed(problem.splits[split]))
            )
            for some, split in ((fitted, "valid"), (left, "valid"), (left, "test"))
        )
        errors = (with_tables["mse"], valid["mse"], test["mse"])
        self._write(*key, round(test["parameters"]), *errors)
        return self.done[tuple(map(str, key))]


def measure(runs, ratings, data, method, size, num_seeds):
    """Chooses by the first seed, and sums all seeds up."""
    first = configure(data, method, size, 0)
    error = lambda ratings, config: runs.figures(ratings, config, method, size)[1]
    choice = choose(ratings, first, print, error)
    found = [
        runs.figures(
            ratings, with_choice(configure(data, method, size, seed), choice), method, size
        )
        for seed in range(num_seeds)
    ]
    return summed_up(found)


def summed_up(found):
    """Means of parameters, validation and test errors, and the spread of the last."""
    parameters, _, valid, test = np.mean(found, axis=0)
    return parameters, valid, test, np.ptp([row[3] for row in found])


def dense_of(means, share):
    """The test error of the dense table of no more parameters that validates best; None: none."""
    fits = [found for (method, dim), found in means.items()
            if method == "mf" and int(dim) + 1 <= 16 * share]  # fmt: skip
    return min(fits, key=lambda found: found[1])[2] if fits else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--path", default="ml-1m")
    parser.add_argument("--columns", default="user,item,rating,timestamp")
    parser.add_argument("--min-count", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", default="mf,ant,nbant,mixdim")
    parser.add_argument("--out", default="out/ratings_curve")
    flags = parser.parse_args()
    columns, out = tuple(flags.columns.split(",")), Path(flags.out)
    data = ant.DataConfig(path=flags.path, columns=columns, min_count=flags.min_count)
    ratings = read_ratings(flags.path, columns=columns, min_count=flags.min_count)
    out.parent.mkdir(parents=True, exist_ok=True)
    runs = Runs(out.with_suffix(".csv"))
    means = {
        (method, str(size)): measure(runs, ratings, data, method, size, flags.seeds)
        for method in flags.methods.split(",")
        for size in SIZES[method]
    }
    for (method, size, *_), _ in list(runs.done.items()):
        if size == "-":  # the simplest predictions
            found = [runs.done[key] for key in runs.done if key[:2] == (method, size)]
            means[method, size] = summed_up(found)
    head = ["method", "size", "parameters", "test MSE, mean", "spread of seeds", "dense, as many"]
    rows, curves = [], {}
    for (method, size), (parameters, _, test, spread) in means.items():
        dense = dense_of(means, float(size)) if method in ("ant", "nbant") else None
        beside = "" if dense is None else f"{dense:.4f}"
        rows.append([method, size, f"{parameters:,.0f}", f"{test:.4f}", f"{spread:.4f}", beside])
        if parameters > 1:  # not the constant
            curves.setdefault(method, []).append((parameters, test))
    print("\n".join(markdown_table(head, rows)))
    panel = Panel({name: Curve(sorted(points)) for name, points in curves.items()}, "",
                  "parameters", "test MSE", "x")  # fmt: skip
    save_panels([panel], out.with_suffix(".png"), f"{flags.path}: error against parameters")


if __name__ == "__main__":
    main()
