import sys

import helpers
import pytest

SCRIPT = "tests/accelerators/programs_on_devices.py"
REST = (  # programs that send as those of the first test do
    "refine", "refine.16x256", "refine.64x256", "finish.search", "dccl.train", "dccl.train.16x256",
    "tying.train.650", "ant.train.mixdim", "ant.train.ant", "ant.train.ncf",
    "classifier.train.anchors", "classifier.train.dense",
)  # fmt: skip


def check(*names):
    done = helpers.run([sys.executable, SCRIPT, *names], num_devices=8)
    assert done.returncode == 0, done.stderr


def test_a_search_sends_nothing_and_a_step_adds_gradients_up_once():
    """The language model is tied, and its softmax is made in chunks."""
    check("searches", "tying.train.650.267k")


@pytest.mark.slow
def test_all_others_do_so_too():
    check(*REST)
