"""What libtpu makes of the programs, for a slice of a pod that is not there."""

import pytest

from benchmarks.ahead.devices import chip_of, find_devices
from benchmarks.ahead.hlo import read
from benchmarks.ahead.programs import PROGRAMS

pytest.importorskip("libtpu")
POD = "v5e:4x4"
NAMES = [
    "dccl.train",
    "dccl.evaluate",
    "dccl.encode",
    "dccl.after_eval",
    "refine",
    "refine.solve",
    "refine.solve.8192",
    "codes.errors",
    "lookup.4096",
    "attend.gradient",
    "tying.train.200.real",
    "tying.evaluate.10",
    "ant.train.ant",
    "classifier.train.codes",
]


@pytest.fixture(scope="module")
def pod():
    return find_devices(POD)


def compile_for(pod, name):
    program = PROGRAMS[name]
    compiled = program.make(pod).lower().compile()
    return program, compiled, read(compiled.as_text())


@pytest.mark.parametrize("name", NAMES)
def test_a_program_fits_a_pod(pod, name):
    program, compiled, found = compile_for(pod, name)
    assert not found.unknown
    inside = [c for c in found.collectives if c.times > max(1, program.steps)]
    assert not inside, inside
    memory = compiled.memory_analysis()
    used = memory.argument_size_in_bytes + memory.output_size_in_bytes
    assert used + memory.temp_size_in_bytes < chip_of(POD).memory


@pytest.mark.parametrize("name", ["dccl.train", "dccl.evaluate", "dccl.encode", "refine"])
def test_a_table_is_not_copied(pod, name):
    compiled = compile_for(pod, name)[1]
    table = 4 * 400_000 * 384
    assert compiled.memory_analysis().temp_size_in_bytes < 0.05 * table


@pytest.mark.parametrize(("name", "milliseconds"), [("attend.700", 2.0), ("attend.1", 2.0)])
def test_attend_is_fast(pod, name, milliseconds):
    found = compile_for(pod, name)[2]
    assert 1e3 * found.cycles / chip_of(POD).clock < milliseconds
