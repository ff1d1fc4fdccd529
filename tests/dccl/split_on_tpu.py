"""Run by test_split.py where libtpu is: tables that no chip could hold are compiled for 16 chips.

    python tests/dccl/split_on_tpu.py V D

Prints what each program takes on a chip, and fails if it does not fit, copies a part of the table
or sends rows. Nothing is run: a TPU need not be there.
"""

import sys

from benchmarks.ahead.devices import chip_of, find_devices
from benchmarks.ahead.hlo import read
from benchmarks.ahead.split import programs

POD = "v5e:4x4"
SENT = {  # at once
    "split.train": "gradients",
    "split.sums": "equations of each device",
    "split.error": "errors of rows",
    "split.lookup": "codes",
}


def main():
    num_rows, dim = map(int, sys.argv[1:])
    devices, table = find_devices(POD), 4 * num_rows * dim / 16
    for program in programs(num_rows, dim):
        compiled = program.make(devices).lower().compile()
        memory, found = compiled.memory_analysis(), read(compiled.as_text()).collectives
        used = memory.argument_size_in_bytes + memory.temp_size_in_bytes
        used += memory.output_size_in_bytes - memory.alias_size_in_bytes
        temporary = memory.temp_size_in_bytes
        sent = ", ".join(f"{c.op} {c.shape}" for c in found)
        name = program.name
        print(f"{name}: {used / 1e9:.2f} GB, temporary {temporary / 1e9:.3f}; {sent}", flush=True)
        assert used < chip_of(POD).memory, name
        assert len(found) == (name in SENT), name
        if name not in ("split.lookup", "split.attend"):
            assert temporary < 0.05 * table, name


if __name__ == "__main__":
    main()
