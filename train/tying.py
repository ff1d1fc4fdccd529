"""Trains a language model: `python -m train.tying --config configs/ptb.py:small-real`.

`--mode evaluate` computes the figures of a finished or half-finished run anew (with `--codes FILE`
those of a compressed table in the embedding's place), `--mode export` writes its embedding,
`--mode predict` and `--mode generate` go on from a text, `--mode compare` lays runs side by side.
"""

import dataclasses
import sys

from jaxcompress.cli.arguments import Arguments
from jaxcompress.cli.console import config_and_workdir, run_main, split_workdirs
from jaxcompress.engine.report import say
from jaxcompress.errors import InputError
from jaxcompress.tying.compare import compare
from jaxcompress.tying.config import Config
from jaxcompress.tying.predict import open_reader, predict, read_text
from jaxcompress.tying.run import generate_text, run, train

__all__ = ["main", "train"]
MODES = ("train", "evaluate", "export", "predict", "generate", "compare")


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of the modes."""

    codes: str = ""  # evaluate: a compressed table to put in the embedding's place
    text: str = ""  # predict, generate: what to go on from
    num_words: int = 10  # predict: how many words to show
    num_tokens: int = 50  # generate: how many to add
    temperature: float = 1.0  # generate: of the softmax; below 1 is safer, above 1 bolder
    workdirs: str = ""  # compare: DIR,DIR,...


def _main(arguments: Arguments) -> None:
    mode, options = arguments.mode, arguments.options
    if mode == "compare":
        return compare(*split_workdirs(arguments))
    config, workdir = config_and_workdir(arguments, Config)
    if mode not in ("predict", "generate"):
        run(config, workdir, mode, options.codes)
        return None
    if mode == "generate" and not options.temperature > 0:
        raise InputError(f"temperature is {options.temperature}; it must be above 0.")
    count = options.num_tokens if mode == "generate" else options.num_words
    if count < 1:
        raise InputError(f"{'num_tokens' if mode == 'generate' else 'num_words'} is {count}; it "
                         "must be at least 1.")  # fmt: skip
    reader = open_reader(config, workdir)
    _, seen = read_text(reader, options.text)
    say(f"text: {seen}" if seen else "text: (none; the start of a line)")
    if mode == "predict":
        for word, probability in predict(reader, options.text, count):
            say(f"{word:<20} {probability:.4f}")
    else:
        say(generate_text(reader, options.text, count, options.temperature, config.seed))
    return None


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    return run_main(_main, sys.argv if argv is None else argv, MODES, Options())


if __name__ == "__main__":
    sys.exit(main())
