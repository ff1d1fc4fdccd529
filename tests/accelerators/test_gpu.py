"""What the compiler for NVIDIA H100 makes of the programs, with none attached: their kernels."""

import pytest

from benchmarks.ahead.devices import chip_of, find_devices
from benchmarks.ahead.hlo import read
from benchmarks.ahead.programs import PROGRAMS

pytest.importorskip("jax_cuda12_plugin")
MOST_KERNELS = {  # in a step, or in a call
    "dccl.train": 60,
    "refine": 1200,
    "lookup.65536": 20,
    "attend.700": 100,
    "attend.gradient": 100,
    "tying.train.650": 650,
    "classifier.train.codes": 3000,
}


@pytest.mark.parametrize("name", MOST_KERNELS)
def test_a_program_launches_so_many_kernels(name):
    program = PROGRAMS[name]
    compiled = program.make(find_devices("h100:1x1x1")).lower().compile()
    found, memory = read(compiled.as_text()), compiled.memory_analysis()
    assert not found.unknown
    assert found.kernels / max(1, program.steps) < MOST_KERNELS[name]
    assert memory.argument_size_in_bytes + memory.temp_size_in_bytes < chip_of("h100").memory


def test_eight_add_gradients_up_once_a_step():
    program = PROGRAMS["dccl.train"]
    found = read(program.make(find_devices("h100:1x1x8")).lower().compile().as_text())
    assert {c.op for c in found.collectives} == {"all-reduce-start"}
    assert sum(c.times for c in found.collectives) <= program.steps
