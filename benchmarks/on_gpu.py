"""All that wants a GPU, run on the devices there are: what holds there, and how fast.

Command:  python benchmarks/on_gpu.py --text DIR

1. tests of precision, layers and placing, in a process of their own;
2. the language models of `configs/ptb.py`, some epochs of each, in processes of their own;
3. every program of the project at the sizes of GloVe, Penn Treebank and MovieLens 25M, of drawn
   data: milliseconds of a call, and beside them the estimate of `accelerators.py`;
4. products that are to be exact against float64, and a round of refinement of 2,000,000 x 300.

The processes come first, while this one has not taken the devices' memory. It ends with status 1 if
one of them failed. `--small` takes little of each, to see that all of it runs; on a CPU too, which
has no estimates.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
from accelerators import compile_program
from ahead.devices import find_chip
from ahead.program import Program
from ahead.programs import PROGRAMS

from jaxcompress import Codes
from jaxcompress.codes.attend import attend
from jaxcompress.codes.config import RefineConfig
from jaxcompress.codes.refine import refine_codes
from jaxcompress.codes.rows import make_table
from jaxcompress.engine.page.markdown import markdown_table

ROOT = Path(__file__).parents[1]
TESTS = ["tests/codes/test_precision.py", "tests/layers", "tests/engine/test_placement.py"]
SMALL = r"^(dccl\.train\.stream|lookup\.4096|ant\.train\.mf|refine\.noise)$"
_CODEWORDS, _ROWS = 16, 1000  # below which codes and numbers of rows are drawn


def draw(shape: jax.ShapeDtypeStruct, rng: np.random.Generator) -> jax.Array:
    """Draws an argument of a program, where its shape is placed."""
    if jax.numpy.issubdtype(shape.dtype, jax.dtypes.prng_key):
        return jax.device_put(jax.random.key(0), shape.sharding)
    if shape.dtype == bool:
        drawn = np.ones(shape.shape, bool)
    elif np.issubdtype(shape.dtype, np.integer):
        high = _CODEWORDS if shape.dtype.itemsize < 4 else _ROWS
        # A number by itself is the step, or a count.
        drawn = rng.integers(1, high, shape.shape) if shape.shape else np.zeros(())
    else:
        drawn = rng.random(shape.shape, np.float32)
    return jax.device_put(drawn.astype(shape.dtype), shape.sharding)


def time_program(program: Program, repeats: int) -> float:
    """Runs a program: the median seconds of a call, without compilation."""
    call, rng, seconds = program.make(jax.devices()), np.random.default_rng(0), []
    for repeat in range(repeats + 1):
        arguments = jax.tree.map(lambda shape: draw(shape, rng), call.arguments)
        jax.block_until_ready(arguments)
        started = time.perf_counter()
        jax.block_until_ready(call.function(*arguments, **call.options))
        if repeat:
            seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


def time_programs(only: str, repeats: int) -> list[list[str]]:
    """The cells of a row for each program: its name, its time, the estimate, how far off it is."""
    chip, rows = find_chip(jax.devices()[0].device_kind), []
    for program in PROGRAMS.values():
        if not re.search(only, program.name):
            continue
        seconds, estimate = time_program(program, repeats), None
        if chip is not None:
            estimate = compile_program(program, jax.devices(), chip).estimate
        rows.append(
            [
                program.name,
                f"{1e3 * seconds:.3g}",
                f"{program.items / seconds:,.0f} {program.unit}/s",
                "" if estimate is None else f"{1e3 * estimate:.3g}",
                "" if estimate is None else f"{seconds / estimate:.2f}",
            ]
        )
        print(" | ".join(rows[-1]), flush=True)
    return rows


def check_products(num_rows: int) -> str:
    """Compares logits with those of float64: both are sums of products that are to be exact."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (num_rows, 32)).astype(np.uint8)
    codebooks = rng.normal(size=(32, 16, 300)).astype(np.float32)
    query = rng.normal(size=(64, 300)).astype(np.float32)
    exact = query.astype(np.float64) @ Codes(codes, codebooks).decode().astype(np.float64).T
    error = np.abs(np.asarray(attend(query, codes, codebooks)) - exact).max() / np.abs(exact).max()
    return f"largest error of `attend` over the largest logit: {error:.1e} (float32: about 1e-6)"


def time_refinement(num_rows: int, num_rounds: int) -> str:
    """Refines drawn rows in clusters, from codes that were drawn too."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(256, 300)).astype(np.float32)
    rows = centres[rng.integers(0, 256, num_rows)]
    rows += 0.3 * rng.standard_normal(rows.shape, np.float32)
    codebooks = 0.1 * rng.normal(size=(32, 16, 300)).astype(np.float32)
    codes = Codes(rng.integers(0, 16, (num_rows, 32)).astype(np.uint8), codebooks)
    table = make_table(rows)
    refine_codes(table, codes, RefineConfig(num_rounds=1))  # compiles
    refined = refine_codes(table, codes, RefineConfig(num_rounds=num_rounds))
    sample = np.arange(0, num_rows, -(-num_rows // 1000))
    errors = [np.square(c.decode(sample) - rows[sample]).sum(1).mean() for c in (codes, refined[0])]
    return (
        f"{num_rows:,} x 300, 32 x 16: {refined.seconds / num_rounds:.2f} s a round of refinement; "
        f"mean squared L2 {errors[0]:.4g} before {num_rounds} rounds, {errors[1]:.4g} after"
    )


def find_platform() -> str:
    """Names what jax runs on, as JAX_PLATFORMS has it; asked of a process that ends."""
    program = "import jax; client = jax.devices()[0].client; print(client.platform_version, "
    program += "client.platform, sep='\\n')"
    said = subprocess.check_output([sys.executable, "-c", program], text=True).splitlines()
    if said[-1] != "gpu":
        return said[-1]
    return "rocm" if "rocm" in "".join(said[:-1]).lower() else "cuda"


def run(title: str, command: list[str], platform: str) -> bool:
    """Runs a command, and prints its seconds and the last lines of what it says.

    Returns:
        Whether it ended well.
    """
    started = time.perf_counter()
    env = {**os.environ, "JAX_PLATFORMS": platform, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
    seconds, said = time.perf_counter() - started, done.stdout.strip().splitlines()[-3:]
    ending = "" if done.returncode == 0 else f"\n  failed: {done.stderr.strip()[-500:]}"
    print(f"{title}: {seconds:.0f} s\n  " + "\n  ".join(said) + ending, flush=True)
    return done.returncode == 0


def train_language_models(text: str, names: list[str], epochs: float, platform: str) -> bool:
    """Trains each; tells whether all of them ended well."""
    well = True
    for name in names:
        config = f"configs/ptb.py:{name}" if name else "configs/quickstart_lm.py"
        command = [sys.executable, "-m", "train.tying", f"--config={config}"]
        command += [f"--workdir=out/on_gpu/{name or 'quickstart'}", "--config.report=false"]
        command += [f"--config.data.path={text}"] if name else ["--config.num_steps=20"]
        command += [f"--config.num_epochs={epochs}"] if name and epochs else []
        well &= run(f"train.tying {name or 'quickstart_lm'}", command, platform)
    return well


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", help="the folder of Penn Treebank; none: no language models")
    parser.add_argument("--epochs", type=float, default=0, help="of each; default: as published")
    parser.add_argument("--only", default="", help="a pattern of the programs' names")
    parser.add_argument("--small", action="store_true", help="little of each")
    flags = parser.parse_args()
    platform, tests = find_platform(), TESTS[-1:] if flags.small else TESTS
    pytest = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *tests]
    well = run("tests", pytest, platform)
    if flags.small:
        well &= train_language_models("", [""], 0, platform)
    elif flags.text:
        sizes, variants = ("small", "medium", "large"), ("baseline", "al", "re", "real")
        names = [f"{s}-{v}" for s in sizes for v in variants]
        well &= train_language_models(flags.text, names, flags.epochs, platform)
    device = jax.devices()[0]
    print(f"\n{jax.device_count()} x {device.device_kind}, jax {jax.__version__}\n", flush=True)
    rows = time_programs(SMALL if flags.small else flags.only, 1 if flags.small else 5)
    header = ["program", "ms", "rate", "estimate ms", "over the estimate"]
    print("\n" + "\n".join(markdown_table(header, rows, right=range(1, 5))) + "\n")
    print(check_products(1000 if flags.small else 30_000))
    print(time_refinement(2000 if flags.small else 2_000_000, 2 if flags.small else 4), flush=True)
    sys.exit(not well)


if __name__ == "__main__":
    main()
