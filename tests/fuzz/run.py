"""Wrong files and wrong settings, made of good ones and given to every reader and every main.

    python tests/fuzz/run.py --count 1000 --seed 0

Each case is a function of the seed and of its number. A case may be read, or refused with an error
that is one line. Counted are tracebacks, errors of several lines, rows that are neither read nor
told of in a note, and cases that take over a minute: there should be none of each. `test_fuzz.py`
runs a hundred cases.
"""

import argparse
import collections
import contextlib
import io
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path[:0] = map(str, Path(__file__).parents[1:3])
from fuzz.cases import SilentChange, file_case, settings_case, workdir_case  # noqa: E402 -- not installed

from jaxcompress import InputError  # noqa: E402

_SECONDS = 60
FAULTS = ("traceback", "several lines", "silent", "slow")


class Outcome(NamedTuple):
    """How a case ended: "read", "refused", or a fault, with the lines that say more."""

    kind: str
    case: str
    details: str = ""


def run_case(seed: int, number: int) -> Outcome:
    """Runs one case; most are files, some are settings or workdirs."""
    rng = np.random.default_rng((seed, number))
    make = file_case if number % 10 else (settings_case, workdir_case)[number // 10 % 2]
    with tempfile.TemporaryDirectory() as folder, _alarm(_SECONDS):
        name, run = make(rng, Path(folder))
        name = f"{number}. {name}"
        try:
            return Outcome(run(), name)
        except InputError as error:
            kind = "several lines" if "\n" in str(error).strip() else "refused"
            return Outcome(kind, name, str(error))
        except TimeoutError:
            return Outcome("slow", name, traceback.format_exc())
        except SilentChange as silent:
            return Outcome("silent", name, str(silent))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            return Outcome("traceback", name, traceback.format_exc())


@contextlib.contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    def stop(number, frame):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def main() -> int:
    """Runs the command; the exit status is 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one case, shown in full")
    arguments = parser.parse_args()
    numbers = range(arguments.count) if arguments.only is None else [arguments.only]
    counts: collections.Counter = collections.Counter()
    os.environ["JAXCOMPRESS_CACHE"] = cache = tempfile.mkdtemp()
    started = time.monotonic()
    for number in numbers:
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = run_case(arguments.seed, number)
        counts[outcome.kind] += 1
        if outcome.kind in FAULTS or arguments.only is not None:
            print(f"{outcome.kind}: {outcome.case}\n{outcome.details}", flush=True)
    shutil.rmtree(cache)
    figures = ", ".join(f"{counts[kind]} {kind}" for kind in ("read", "refused", *FAULTS))
    print(f"{len(numbers)} cases in {time.monotonic() - started:.0f} s: {figures}")
    return int(any(counts[kind] for kind in FAULTS))


if __name__ == "__main__":
    sys.exit(main())
