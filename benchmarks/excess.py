"""How far above the Gaussian bound codes stay: what `target_mb` predicts errors by.

Command:  python benchmarks/excess.py [--rates 1,2,3,4] [--codewords 4,8,16] [--rounds 40]

Gaussian rows of equal variances are coded at so many bits a dimension: with codebooks and codes
that all begin at random; and in layers of one bit, each made for what those before have left.
"""

import argparse

import numpy as np

import jaxcompress
from jaxcompress.codes.config import RefineConfig
from jaxcompress.codes.extend import add_layer
from jaxcompress.codes.measure import code_errors
from jaxcompress.codes.refine import refine_codes
from jaxcompress.codes.rows import make_table
from jaxcompress.storage.bits import code_bits

FEW = RefineConfig(num_rounds=6)  # after each layer, before the whole


def random_codes(rows, num_codebooks, num_codewords, rng):
    """Codes at random, and codebooks of which a sum has the variance of a row."""
    shape = num_codebooks, num_codewords
    codebooks = rows[rng.integers(len(rows), size=shape)] / np.sqrt(num_codebooks)
    codes = rng.integers(num_codewords, size=(len(rows), num_codebooks), dtype=np.uint8)
    return jaxcompress.Codes(codes, codebooks)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", default="1,2,3,4", help="bits a dimension")
    parser.add_argument("--codewords", default="4,8,16")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--rows", type=int, default=16_000)
    parser.add_argument("--dim", type=int, default=24)
    flags = parser.parse_args()
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(flags.rows, flags.dim)).astype(np.float32)
    table = make_table(rows, None)
    rounds = RefineConfig(num_rounds=flags.rounds)
    print("mean squared L2 over the bound: bits a dimension, codewords, at once, in layers")
    for rate in map(float, flags.rates.split(",")):
        for num_codewords in map(int, flags.codewords.split(",")):
            bits = code_bits(num_codewords)
            one_bit, size = flags.dim // bits, round(rate * flags.dim / bits)
            bound = jaxcompress.rate_distortion_bound(rows, size * bits)
            ratios = []
            for layer in dict.fromkeys((size, min(size, one_bit))):
                codes = random_codes(rows, layer, num_codewords, rng)
                while codes.num_codebooks < size:
                    codes = refine_codes(table, codes, FEW).codes
                    left = size - codes.num_codebooks
                    codes = add_layer(table, codes, 1, min(layer, left))
                codes = refine_codes(table, codes, rounds).codes
                error = code_errors(table, codes)["all"]["mean_squared_l2"]
                ratios.append(f"{error / bound:8.3f}")
            print(f"{rate:4g}{num_codewords:6}{''.join(ratios)}", flush=True)


if __name__ == "__main__":
    main()
