"""Cases: a wrong file for a reader, a wrong setting for a main, a workdir with a wrong file."""

import contextlib
import io
import os
import tarfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helpers
import numpy as np
from fuzz.subjects import SUBJECTS, Subject
from fuzz.wrongs import WRONGS

import jaxcompress
import train.ant
import train.dccl
import train.sentiment
import train.tying
from jaxcompress import InputError


class SilentChange(Exception):
    """Rows are gone or came from nowhere, and no note says so."""


def _lines_in(data: bytes, num_headers: int) -> int | None:
    """Counts the lines that hold something, but for the header; None if it is no UTF-8."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return sum(bool(line.strip()) for line in lines) - num_headers


def file_case(rng: np.random.Generator, folder: Path) -> tuple[str, Callable[[], str]]:
    name = list(SUBJECTS)[rng.integers(len(SUBJECTS))]
    subject, path = SUBJECTS[name], SUBJECTS[name].make(folder)
    kinds = list(WRONGS)
    chosen = [kinds[rng.integers(len(kinds))] for _ in range(rng.integers(1, 3))]
    data = path.read_bytes()
    for kind in chosen:
        data = WRONGS[kind](rng, data) if data else data
    path.write_bytes(data)

    def run() -> str:
        found = subject.read(path)
        if subject.is_text and not found.has_notes:
            expected = _lines_in(data, subject.num_headers)
            if expected is not None and found.num_rows not in _allowed(expected, data, subject):
                raise SilentChange(f"{found.num_rows} rows were read of {expected} lines")
        return "read"

    return f"{name}: {', '.join(chosen)}", run


def _allowed(expected: int, data: bytes, subject: Subject) -> set[int]:
    """Gives the right numbers of rows: a damaged header may have become a row, or a row one."""
    return {expected, expected + 1} if subject.num_headers else {expected, expected - 1}


_JUNK = ("", "-1", "0", "1e308", "nan", "inf", "none", "abc", "9" * 20, "1,2",
         "(1,2)", "../x", "é", "1e-400", "true", "3.5", "[]", "'", "\x01", "1 2")  # fmt: skip
_MAINS = {
    "dccl": (train.dccl.main, helpers.make_table, helpers.command),
    "tying": (train.tying.main, helpers.make_text, helpers.text_command),
    "ant": (train.ant.main, helpers.make_ratings, helpers.ratings_command),
    "sentiment": (train.sentiment.main, helpers.make_reviews, helpers.sentiment_command),
}
_SHORT = ("--config.num_steps=2", "--config.eval_every=2", "--config.steps_per_dispatch=2")


def _fields(config: Any, prefix: str = "config") -> Iterator[str]:
    for name, value in vars(config).items():
        if hasattr(value, "__dataclass_fields__"):
            yield from _fields(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}"


def settings_case(rng: np.random.Generator, folder: Path) -> tuple[str, Callable[[], str]]:
    method = list(_MAINS)[rng.integers(len(_MAINS))]
    main, make, command = _MAINS[method]
    config = {"dccl": jaxcompress.dccl, "tying": jaxcompress.tying, "ant": jaxcompress.ant,
              "sentiment": jaxcompress.classifier}[method].Config()  # fmt: skip
    names = [*_fields(config), "workdir", "mode", "config"]
    name = names[rng.integers(len(names))]
    wrong = f"--{name}={_JUNK[rng.integers(len(_JUNK))]}"
    data = make(folder)
    argv = command(data, folder / "out", *_SHORT)[2:]
    if name == "config":
        argv = [argument for argument in argv if not argument.startswith("--config=")]
    return f"main {method}: {wrong!r}", lambda: _run_main(main, [*argv, wrong], folder)


def workdir_case(rng: np.random.Generator, folder: Path) -> tuple[str, Callable[[], str]]:
    method = list(_MAINS)[rng.integers(len(_MAINS))]
    main, make, command = _MAINS[method]
    with tarfile.open(helpers.ROOT / "tests" / "golden" / "workdirs.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    workdir, data = folder / method / "half", make(folder)
    files = sorted(path for path in workdir.rglob("*") if path.is_file())
    path = files[rng.integers(len(files))]
    kinds = list(WRONGS)
    kind = kinds[rng.integers(len(kinds))]
    if content := path.read_bytes():
        path.write_bytes(WRONGS[kind](rng, content))
    argv = [*command(data, workdir)[2:], "--mode=evaluate"]
    name = f"workdir of {method}, {path.relative_to(workdir)}: {kind}"
    return name, lambda: _run_main(main, argv, folder)


def _run_main(main: Callable[[list[str]], int], argv: list[str], folder: Path) -> str:
    said = io.StringIO()
    before = os.getcwd()
    with contextlib.redirect_stderr(said), warnings.catch_warnings():
        warnings.simplefilter("default")  # pytest has them raised
        (folder / "configs").symlink_to(helpers.ROOT / "configs")
        os.chdir(folder)
        try:
            status = main(argv)
        finally:
            os.chdir(before)
    errors = [line for line in said.getvalue().splitlines() if line.startswith("error: ")]
    if "Traceback" in said.getvalue():
        raise RuntimeError(said.getvalue())
    if status and len(errors) != 1:
        raise InputError(f"status {status} and\n{said.getvalue()}")
    return "refused" if status else "read"
