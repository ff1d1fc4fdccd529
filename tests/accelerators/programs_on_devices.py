"""Run by test_collectives.py on 8 devices: what devices send each other in a step or a search.

The arguments are names of programs; "searches" runs those of codes, and compares what they find.
"""

import math
import sys

import jax
from searches_on_devices import check_searches

from benchmarks.ahead.hlo import read
from benchmarks.ahead.programs import PROGRAMS

_REST = 64  # bytes of figures and norms that a step may add up besides gradients
# Programs whose rows of all words are made of a small table once a step: what is sent is the
# gradient of these rows.
_OF_ROWS = {f"tying.train.200.{table}": 4 * 10_000 * 200 for table in ("low_rank", "hashed", "ant")}


def check_program(name):
    """No loop of a search sends anything, and a step of training adds gradients up once."""
    program = PROGRAMS[name]
    call = program.make(jax.devices())
    found = read(call.lower().compile().as_text())
    assert not found.unknown, f"{name}: {found.unknown}"
    if not program.steps:
        inside = [(c.op, c.shape, c.loops) for c in found.collectives if c.loops]
        assert not inside, f"{name}: {inside}"
        return
    params = _OF_ROWS.get(name, 0) + sum(
        4 * math.prod(x.shape) for x in jax.tree.leaves(call.arguments[0].params)
    )
    sums = [c for c in found.collectives if c.op.startswith("all-reduce")]
    sent = sum(c.num_bytes * c.times for c in sums) / program.steps
    shapes = [(c.shape, c.times / program.steps) for c in sums]
    assert 0 < sent <= params + _REST, f"{name}: {sent:,} bytes of {params:,}: {shapes}"


if __name__ == "__main__":
    assert jax.device_count() == 8
    for name in sys.argv[1:]:
        if name == "searches":
            check_searches()
        else:
            check_program(name)
