"""Logits of a tied output through codes against the dense product `query @ table.T`, on CPU.

Command:  python benchmarks/attend_speed.py

32 x 16 codes, D 300, 30,000 rows. Times are medians of calls in turn. Memory is parameters (the
table, or codes at a byte each and codebooks) and temporaries, which the memory analysis of the
compiled program gives; queries and results are not counted. "backward" makes the gradients of
queries and of table or codebooks.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress import Codes
from jaxcompress.codes.attend import attend

NUM_ROWS, DIM, NUM_CODEBOOKS, NUM_CODEWORDS = 30_000, 300, 32, 16


def dense(query, table):
    return query @ table.T


def through_codes(query, parameters):
    return attend(query, parameters["codes"], parameters["codebooks"])


def backward(product):
    """The backward pass alone: the compiler drops a forward pass that nothing reads."""

    def gradients(query, parameters, d_logits):
        pull_back = jax.vjp(product, query, parameters)[1]
        return [x for x in jax.tree.leaves(pull_back(d_logits)) if x.dtype == jnp.float32]

    return gradients


def measure(programs, num_rounds):
    """Median milliseconds of each program, called in turn."""
    seconds = np.zeros((num_rounds, len(programs)))
    for i in range(num_rounds):
        for j, (program, arguments) in enumerate(programs):
            started = time.perf_counter()
            jax.block_until_ready(program(*arguments))
            seconds[i, j] = time.perf_counter() - started
    return 1e3 * np.median(seconds, axis=0)


def held_bytes(program, parameters):
    temporaries = program.memory_analysis().temp_size_in_bytes
    return temporaries + sum(x.nbytes for x in jax.tree.leaves(parameters))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    flags = parser.parse_args()
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.normal(size=shape).astype(np.float32)
    codes = Codes(
        rng.integers(0, NUM_CODEWORDS, (NUM_ROWS, NUM_CODEBOOKS)),
        normal(NUM_CODEBOOKS, NUM_CODEWORDS, DIM),
    )
    kept = {"codes": jnp.asarray(codes.codes), "codebooks": jnp.asarray(codes.codebooks)}
    ways = [(through_codes, kept), (dense, jnp.asarray(codes.decode()))]

    print(f"{'queries':<13}  {'ours ms':>8} {'dense ms':>8} {'ratio':>6}  "
          f"{'ours MB':>8} {'dense MB':>8} {'ratio':>6}")  # fmt: skip
    for num_queries, name in ((700, ""), (16, ""), (1, ""), (700, " backward")):
        query, programs, sizes = normal(num_queries, DIM), [], []
        for product, parameters in ways:
            call, arguments = product, (query, parameters)
            if name:
                call, arguments = backward(product), (*arguments, normal(num_queries, NUM_ROWS))
            program = jax.jit(call).lower(*arguments).compile()
            programs.append((program, arguments))
            sizes.append(held_bytes(program, parameters) / 1e6)
        ours, theirs = (program(*arguments) for program, arguments in programs)
        if not name:
            np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())
        times = measure(programs, flags.rounds)
        print(f"{f'{num_queries}{name}':<13}  "
              f"{times[0]:8.2f} {times[1]:8.2f} {times[0] / times[1]:6.2f}  "
              f"{sizes[0]:8.2f} {sizes[1]:8.2f} {sizes[0] / sizes[1]:6.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
