"""Trains a language model: `python -m train.tying --config configs/ptb.py:small-real`.

`--mode evaluate` computes the figures of a finished or half-finished run anew, or with
`--codes FILE` those of codes or anchors in its table's place; `--mode export` writes its embedding.
`--mode predict` shows the likeliest next words of `--text`, of each run with `--workdirs`,
`--mode generate` goes on from it, and `--mode compare` lays runs side by side. The same command
again goes on with a run, or finds it finished.
"""

import dataclasses
from collections.abc import Sequence

from jaxcompress.cli.arguments import Arguments
from jaxcompress.cli.console import config_and_workdir, run_main, split_workdirs
from jaxcompress.engine.report import say
from jaxcompress.tying.compare import (
    compare_predictions,
    compare_runs,
    show_comparison,
)
from jaxcompress.tying.config import Config
from jaxcompress.tying.generate import generate_text
from jaxcompress.tying.predict import predict_words
from jaxcompress.tying.reader import open_reader, read_text
from jaxcompress.tying.run import run, train

__all__ = ["main", "train"]
MODES = ("train", "evaluate", "export", "predict", "generate", "compare")


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of the modes."""

    codes: str = ""  # evaluate: path of a compressed table to put in the embedding's place
    text: str = ""  # predict, generate: what to go on from
    num_words: int = 10  # predict: number of words to show
    num_tokens: int = 50  # generate: number of words to draw
    temperature: float = 1.0  # generate: of the softmax; below 1 likely words are likelier
    workdirs: str = ""  # compare, predict: DIR,DIR,...


def _main(arguments: Arguments) -> None:
    if arguments.mode == "compare":
        workdirs, picture = split_workdirs(arguments)
        show_comparison(compare_runs(workdirs), picture)
        return
    if arguments.mode == "predict" and arguments.options.workdirs:
        _predict_side_by_side(arguments.options)
        return
    config, workdir = config_and_workdir(arguments, Config)
    if arguments.mode in ("predict", "generate"):
        _go_on_from_text(config, workdir, arguments)
    else:
        run(config, workdir, arguments.mode, arguments.options.codes)


def _go_on_from_text(config: Config, workdir: str, arguments: Arguments) -> None:
    """Prints the text as the model reads it, and what comes next."""
    options, reader = arguments.options, open_reader(workdir, config)
    if arguments.mode == "predict":
        words = predict_words(reader, options.text, options.num_words)
        lines = [f"{word:<20} {probability:.4f}" for word, probability in words]
    else:
        tokens, temperature = options.num_tokens, options.temperature
        lines = [generate_text(reader, options.text, tokens, temperature, config.seed)]
    _, seen = read_text(reader, options.text)
    say("\n".join([f"text: {seen or '(none; the start of a line)'}", *lines]))


def _predict_side_by_side(options: Options) -> None:
    """Prints what each run says comes next, a line for each run, the likeliest first."""
    workdirs = [workdir for workdir in options.workdirs.split(",") if workdir]
    found = compare_predictions(workdirs, options.text, options.num_words)
    say(f"text: {options.text or '(none; the start of a line)'}")
    for name, words in found.items():
        say(f"{name}: " + ", ".join(f"{word} {probability:.2f}" for word, probability in words))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line, program name first; returns the exit status."""
    return run_main(_main, argv, MODES, Options(), kind=Config, doc=__doc__)
