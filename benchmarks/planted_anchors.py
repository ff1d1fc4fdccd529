"""How often NBANT finds the number of anchors that was planted, one config for all numbers.

Command:  python benchmarks/planted_anchors.py
          --rule trend: with the rule of the reference
"""

import argparse
import dataclasses

import data
import numpy as np

from jaxcompress.ant import prepare as ant_prepare
from jaxcompress.ant.prepare import prepare
from jaxcompress.engine.loop import fit

PLANTED = (6, 16, 30)


def found(config):
    """The numbers of anchors of users and items that the objective chooses."""
    problem = prepare(ant_prepare.read(config), config, say=lambda line: None)
    state = fit(problem.job, show_progress=False).state
    return np.asarray(state.aux["growth"]["best_count"]).tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rule", default="climb")
    parser.add_argument("--planted", default=",".join(map(str, PLANTED)))
    flags = parser.parse_args()
    base = data.config("quickstart_ratings")
    growth = dataclasses.replace(base.growth, rule=flags.rule)
    for planted in map(int, flags.planted.split(",")):
        results = []
        for seed in range(flags.seeds):
            config = dataclasses.replace(
                base, seed=seed, growth=growth,
                data=dataclasses.replace(base.data, planted_anchors=planted),
            )  # fmt: skip
            results.append(found(config))
            print(f"planted {planted}, seed {seed}: found {results[-1]}", flush=True)
        hits = sum(max(abs(n - planted) for n in numbers) <= 2 for numbers in results)
        print(f"planted {planted}: within 2 in {hits} of {flags.seeds} seeds", flush=True)


if __name__ == "__main__":
    main()
