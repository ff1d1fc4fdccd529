"""Run by programs_on_devices.py on 8 devices: a search leaves the rows where they are."""

import re

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jaxcompress.codes.search import beam_search, improve_codes

rng = np.random.default_rng(0)
rows = rng.normal(size=(64, 6)).astype(np.float32)
codebooks = rng.normal(size=(5, 4, 6)).astype(np.float32)
codes = rng.integers(0, 4, (64, 5)).astype(np.uint8)
key = jax.random.key(0)
SEARCHES = {
    "beam": (beam_search, (rows, codebooks)),
    "tabu": (lambda *arguments: improve_codes(*arguments, 15), (key, rows, codes, codebooks)),
}


def check_searches():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    for name, (search, arguments) in SEARCHES.items():
        split = [
            jax.device_put(x, NamedSharding(mesh, P("data"))) if x is rows or x is codes else x
            for x in arguments
        ]
        program = jax.jit(search).lower(*split).compile()
        found = re.findall("all-gather|all-reduce|all-to-all|collective-permute", program.as_text())
        assert not found, f"{name}: there is an {found[0]}"
        np.testing.assert_array_equal(program(*split), jax.jit(search)(*arguments))
