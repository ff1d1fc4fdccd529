"""Small runs of the real mains: in this process, or in processes of their own."""

import contextlib
import importlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from jaxcompress.engine.figures import Figures
from jaxcompress.storage.names import write_names

ROOT = Path(__file__).parents[1]
SMALL = (
    "--config=configs/quickstart.py",
    "--config.report=false",
    "--config.model.num_codebooks=4",
    "--config.model.num_codewords=8",
    "--config.batch_size=64",
    "--config.num_steps=60",
    "--config.eval_every=20",
    "--config.steps_per_dispatch=5",
    "--config.log_every=1",
    "--config.refine.num_rounds=2",
)


def make_table(folder, num_rows=600, dim=16):
    """Writes a table of clustered rows with words; returns the path of its .npy."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(20, dim))
    rows = centers[rng.integers(0, 20, num_rows)] + 0.3 * rng.normal(size=(num_rows, dim))
    np.save(folder / "table.npy", rows.astype(np.float32))
    write_names(folder / "table.words.txt", [f"w{i}" for i in range(num_rows)])
    return folder / "table.npy"


def command(table, workdir, *more):
    """The command line of a small run."""
    data = (f"--config.data.path={table}", f"--workdir={workdir}")
    return [sys.executable, "-m", "train.dccl", *SMALL, *data, *more]


SMALL_LM = (
    "--config=configs/text.py:real",
    "--config.report=false",
    "--config.batch_size=24",
    "--config.unroll=5",
    "--config.num_steps=60",
    "--config.eval_every=20",
    "--config.steps_per_dispatch=5",
    "--config.log_every=1",
    "--config.model.hidden_size=16",
    "--config.model.init_scale=0.5",
    "--config.model.dropout=0.1",
)


def make_text(folder):
    """Writes train, valid and test files of a small language; returns the folder."""
    rng = np.random.default_rng(0)
    verbs, nouns = ["sees", "likes", "knows"], ["anna", "bob", "carl", "dora", "emil"]
    for split, count in (("train", 900), ("valid", 60), ("test", 60)):
        lines = (
            " ".join([nouns[i % 5], verbs[i % 3], nouns[(i + 1) % 5], f"x{i % 7}"])
            for i in rng.integers(0, 1000, count)
        )
        (folder / f"{split}.txt").write_text("".join(line + "\n" for line in lines))
    return folder


def text_command(folder, workdir, *more):
    """The command line of a small run of a language model."""
    data = (f"--config.data.path={folder}", f"--workdir={workdir}")
    return [sys.executable, "-m", "train.tying", *SMALL_LM, *data, *more]


def environment(num_devices=1, **more):
    """The environment of a process with so many simulated devices."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(num_devices),
        **more,
    }


def run(arguments, num_devices=1):
    """Runs to the end in a process of its own; returns it, finished, with its output."""
    return subprocess.run(
        arguments,
        cwd=ROOT,
        env=environment(num_devices),
        capture_output=True,
        text=True,
        timeout=300,
    )


def run_here(arguments):
    """As `run` on one device, of a main in this process, which saves the time of a start."""
    name, *rest = arguments[2:]
    main = importlib.import_module(name.replace("train", "jaxcompress.cli.mains")).main
    argv = [str(ROOT / f"{name.replace('.', '/')}.py"), *rest]
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.chdir(ROOT))
        stack.enter_context(mock.patch.object(sys, "argv", argv))
        stack.enter_context(mock.patch.object(sys, "orig_argv", arguments))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("default")
        stack.enter_context(mock.patch.object(warnings, "showwarning", _show))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(errors))
        status = main()
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), errors.getvalue())


def break_off(arguments, step):
    """Runs a main in this process until this step, then raises, as whatever ends a run would."""

    class Broken(BaseException):
        pass

    of_steps = Figures.of_steps

    def until(self, first, metrics):
        of_steps(self, first, metrics)
        if first >= step:
            raise Broken

    with mock.patch.object(Figures, "of_steps", until), pytest.raises(Broken):
        run_here(arguments)


def _show(message, category, filename, lineno, file=None, line=None):
    """Shows a warning as Python does; pytest would keep it."""
    print(warnings.formatwarning(message, category, filename, lineno, line), file=sys.stderr)


def printed(arguments):
    """Runs to a good end; returns what was printed."""
    done = run_here(arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def error_of(capsys):
    """What was said on stderr, without notes."""
    lines = capsys.readouterr().err.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("note: "))


def start_processes(arguments, count=2, num_devices=1):
    """Starts a run of two processes, or of more, on this machine; each has so many devices."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    return [
        subprocess.Popen(
            arguments,
            cwd=ROOT,
            env=environment(
                num_devices,
                JAX_COORDINATOR_ADDRESS=address,
                JAX_NUM_PROCESSES=str(count),
                JAX_PROCESS_ID=str(i),
                JAX_CPU_COLLECTIVES_IMPLEMENTATION="gloo",
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(count)
    ]


@contextlib.contextmanager
def killed_at_step(arguments, workdir, step):
    """Starts a run and waits for a step; kills it in the end."""
    process = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_step(process, workdir, step)
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def wait_for_step(process, workdir, step, seconds=120):
    """Waits until a line of a step this late is in the metrics."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        lines = workdir / "metrics.jsonl"
        if lines.exists() and f'"step": {step},' in lines.read_text():
            return
        time.sleep(0.01)
    raise AssertionError(f"step {step} did not come: {process.poll()}")


def losses(workdir):
    """The training loss of every step."""
    lines = [json.loads(x) for x in (workdir / "metrics.jsonl").read_text().splitlines()]
    return np.array([line["train_loss"] for line in lines if "train_loss" in line])


SMALL_RATINGS = (
    "--config=configs/quickstart_ratings.py",
    "--config.report=false",
    "--config.batch_size=64",
    "--config.num_steps=60",
    "--config.growth.num_steps=40",
    "--config.debias_steps=20",
    "--config.eval_every=20",
    "--config.steps_per_dispatch=5",
    "--config.log_every=1",
    "--config.model.latent_dim=4",
    "--config.model.user_anchors=4",
    "--config.model.item_anchors=3",
    "--config.growth.max_anchors=9",
    "--config.penalty.transform=1e-5",
)


def make_ratings(folder, num_users=60, num_items=40, num_ratings=1500):
    """Writes ratings with gaps in their ids, and times; returns the path of the file."""
    rng = np.random.default_rng(0)
    users, items = rng.random((num_users, 3)), rng.random((num_items, 3))
    pairs = rng.permutation(num_users * num_items)[:num_ratings]
    with open(folder / "ratings.csv", "w") as stream:
        stream.write("userId,movieId,rating,timestamp\n")
        for time_, (u, i) in enumerate(zip(*np.divmod(pairs, num_items), strict=True)):
            rating = 1 + 2 * users[u] @ items[i] + 0.1 * rng.normal()
            stream.write(f"u{3 * u},{100 + 7 * i},{rating:.3f},{1000 + time_}\n")
    return folder / "ratings.csv"


def ratings_command(file, workdir, *more):
    """The command line of a small run of NBANT."""
    data = (f"--config.data.path={file}", f"--workdir={workdir}")
    return [sys.executable, "-m", "train.ant", *SMALL_RATINGS, *data, *more]


SMALL_SENTIMENT = (
    "--config=configs/quickstart_sentiment.py",
    "--config.report=false",
    "--config.batch_size=16",
    "--config.num_steps=60",
    "--config.eval_every=20",
    "--config.log_every=1",
    "--config.model.hidden_size=8",
    "--config.optimizer.learning_rate=0.03",
    "--config.data.bucket_width=8",
    "--config.data.max_tokens=16",
)


def make_reviews(folder):
    """Writes train.csv and test.csv of texts whose class shows in one word, and their words'
    vectors; returns the folder."""
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(20)] + ["good", "fine", "bad", "poor"]
    rows = rng.normal(size=(len(words), 8))
    np.save(folder / "vectors.npy", rows.astype(np.float32))
    write_names(folder / "vectors.words.txt", words)
    for split, count in (("train", 300), ("test", 101)):
        with open(folder / f"{split}.csv", "w") as stream:
            for _ in range(count):
                label = rng.integers(2)
                text = [words[i] for i in rng.integers(0, 20, rng.integers(1, 18))]
                text.insert(
                    rng.integers(min(len(text), 9)), words[20 + 2 * label + rng.integers(2)]
                )
                stream.write(f'"{" ".join(text)}, rare",{("positive", "negative")[label]}\n')
    return folder


def sentiment_command(folder, workdir, *more):
    """The command line of a small run of the classifier."""
    data = (
        f"--config.data.source={folder}/train.csv",
        f"--config.data.test={folder}/test.csv",
        f"--config.vectors={folder}/vectors.npy",
        f"--workdir={workdir}",
    )
    return [sys.executable, "-m", "train.sentiment", *SMALL_SENTIMENT, *data, *more]
