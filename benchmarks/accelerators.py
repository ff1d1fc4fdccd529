"""What every program of the project would take on TPUs or GPUs that are not there.

Command:  python benchmarks/accelerators.py --topology v5e:4x4

Topologies are slices of TPU pods, `v5e:1x1`, `v5e:4x4`, `v5p:2x2x1`, and H100, `h100:1x1x8`. It
needs the extra `aot`: compilers for both, and no device. Nothing is run: all are estimates.

- memory: of a device, in MB: arguments, results and temporaries; and the temporaries alone.
- collectives: between devices, in a step of training or in a call.
- estimate: of a call. On a TPU libtpu's own estimates of cycles, times the turns of loops, over the
  clock, or the bound if that is longer; fusions with a gather, a scatter or a sort have none, so
  that it is a lower bound. On a GPU the bound, and 2 microseconds for each kernel that is launched.
- bound: no call is faster: operations of products over the chip's peak, or bytes over that of
  its memory, whichever is longer.
- share: the bound over the estimate; 100 % is as fast as the chip.
"""

import argparse
import re
import time
from typing import NamedTuple

from ahead.devices import Chip, chip_of, find_devices
from ahead.flops import count_flops
from ahead.hlo import read
from ahead.program import Program
from ahead.programs import PROGRAMS

from jaxcompress.engine.page.markdown import markdown_table

_LAUNCH = 2e-6  # seconds that a GPU takes to launch a kernel


class Row(NamedTuple):
    """What is told of a program; seconds, bytes and counts of a call on a device."""

    compile_seconds: float
    memory: float
    temporaries: float
    collectives: float
    kernels: float
    estimate: float
    bound: float
    is_bound_by_bytes: bool


def compile_program(program: Program, devices: list, chip: Chip) -> Row:
    """Compiles a program for devices, and reads what the compiler says of it."""
    call, platform = program.make(devices), devices[0].platform
    traced = call.function.trace(*call.arguments, **call.options)
    started = time.perf_counter()
    compiled = traced.lower().compile()
    seconds = time.perf_counter() - started
    found, memory = read(compiled.as_text()), compiled.memory_analysis()
    flops = count_flops(traced.jaxpr.jaxpr, platform)
    share = len(devices) if call.is_shared else 1
    by_flops = sum(flops[kind] / share / peak for kind, peak in chip.flops.items())
    by_bytes = found.num_bytes / chip.bandwidth
    bound = max(by_flops, by_bytes)
    estimate = bound + _LAUNCH * found.kernels
    if chip.clock:
        estimate = max(found.cycles / chip.clock, bound)
    steps = max(1, program.steps)
    used = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    return Row(
        compile_seconds=seconds,
        memory=used + memory.temp_size_in_bytes,
        temporaries=memory.temp_size_in_bytes,
        collectives=sum(i.times for i in found.collectives) / steps,
        kernels=found.kernels / steps,
        estimate=estimate,
        bound=bound,
        is_bound_by_bytes=by_bytes > by_flops,
    )


def cells(program: Program, row: Row) -> list[str]:
    """Writes a row of the table."""
    rate = program.items / row.estimate
    return [
        program.name,
        f"{row.compile_seconds:.1f}",
        f"{row.memory / 1e6:,.0f}",
        f"{row.temporaries / 1e6:,.1f}",
        f"{row.collectives:.3g}",
        f"{row.kernels:,.0f}",
        f"{1e3 * row.estimate:.3g}",
        f"{rate:,.0f} {program.unit}/s" if program.unit != "calls" else "",
        f"{1e3 * row.bound:.3g} {'bytes' if row.is_bound_by_bytes else 'flops'}",
        f"{row.bound / row.estimate:.0%}",
    ]


HEADER = [
    "program", "compile s", "memory MB", "temporaries MB", "collectives a step", "kernels a step",
    "estimate ms", "estimated rate", "bound ms", "share",
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--topology", default="v5e:1x1", help="as v5e:4x4 or h100:1x1x8")
    parser.add_argument("--only", default="", help="a pattern of the programs' names")
    options = parser.parse_args()
    chip, devices = chip_of(options.topology), find_devices(options.topology)
    rows = []
    for program in PROGRAMS.values():
        if re.search(options.only, program.name):
            rows.append(cells(program, compile_program(program, devices, chip)))
            print(" | ".join(rows[-1]), flush=True)
    print(f"\n{len(devices)} x {devices[0].device_kind}, estimated\n")
    print("\n".join(markdown_table(HEADER, rows, right=range(1, len(HEADER)))))


if __name__ == "__main__":
    main()
