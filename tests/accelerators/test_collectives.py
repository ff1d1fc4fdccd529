import sys

import helpers
import pytest

from benchmarks.ahead.programs import PROGRAMS

SCRIPT = "tests/accelerators/programs_on_devices.py"
# A tied table whose teacher has a gradient too, in chunks; codebooks that are added up in pairs.
FIRST = "dccl.train", "tying.train.650.267k.teacher", "classifier.train.codebooks"
SEARCHES = "refine", "refine.16x256", "refine.64x256", "finish.search"
REST = (*SEARCHES, *(name for name, program in PROGRAMS.items()
                     if program.steps and not program.like and name not in FIRST))  # fmt: skip


def check(*names):
    done = helpers.run([sys.executable, SCRIPT, *names], num_devices=8)
    assert done.returncode == 0, done.stderr


def test_a_search_sends_nothing_and_a_step_adds_gradients_up_once():
    check("searches", *FIRST)


@pytest.mark.slow
def test_all_others_do_so_too():
    check(*REST)
