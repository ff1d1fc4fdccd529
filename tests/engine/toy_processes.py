"""Run by test_processes.py in two processes, one of which gets SIGTERM or dies at its start."""

import os
import signal
import sys

import jax
from test_stopping import job_of

from jaxcompress.cli.console import run_main
from jaxcompress.engine.loop import fit

SIGNALS = {"stop": signal.SIGTERM, "die": signal.SIGKILL}


def main(arguments):
    action, process = arguments.mode.split("-")

    def in_training(step):
        if step == 1 and jax.process_index() == int(process):
            os.kill(os.getpid(), SIGNALS[action])

    fit(job_of(in_training), workdir=arguments.workdir, show_progress=False)


if __name__ == "__main__":
    sys.exit(run_main(main, sys.argv, ("train", "stop-1", "die-0", "die-1")))
