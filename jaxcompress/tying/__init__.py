"""Language models with one table for input and output, trained with the augmented loss.

Inan, Khosravi & Socher, "Tying Word Vectors and Word Classifiers: A Loss Framework for Language
Modeling", ICLR 2017, arXiv 1611.01462. An LSTM reads words and predicts the next one. AL, the
augmented loss, adds to the cross-entropy the divergence from a teacher that gives words near the
target their share; RE reuses the embedding as the classifier, which the theory of AL calls for;
REAL is both.

- `config.py`: what can be set, and the paper's variants; its classes are listed here.
- `model.py`: the LSTM, its dropout, the classifier. `softmax_loss.py`: the augmented loss;
  `teacher.py`: what it learns from.
- `task.py`: what is trained, and the optimiser. `prepare.py`: from a text and a config to a job.
- `run.py`: `train` and the modes that need the text. `evaluate.py`: perplexities of a trained run,
  with its own embedding or a compressed one.
- `reader.py` opens a trained model without its text, for `predict.py`, the likeliest next words,
  and `generate.py`, a text that goes on.
- `compare.py`: several runs side by side. `tables.py`: embedding and classifier of few bytes.

What keeps REAL from running away is that tau rises with the longest row (`make_teacher` in
`teacher.py`). What the paper leaves open: no gradient flows through the teacher, unless
`model.teacher_gradient` is set (`softmax_loss` in `softmax_loss.py`); a dropout mask lasts for
`unroll` tokens (`dropout_masks` in `model.py`). Departures, off by default: tau can rise during
training (`temperature_at` in `teacher.py`), and the embedding can stay fixed at first
(`freeze_embedding` in `task.py`).

Nothing here reads a flag; `run.py` and `show_comparison` print, the other functions return values.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jaxcompress.tying.config import (
    VARIANTS,
    Config,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    published_config,
    with_variant,
)

if TYPE_CHECKING:
    from jaxcompress.tying.compare import compare_predictions, compare_runs
    from jaxcompress.tying.evaluate import evaluate_codes, perplexity
    from jaxcompress.tying.generate import generate_text
    from jaxcompress.tying.predict import predict_words
    from jaxcompress.tying.prepare import Problem, make_problem
    from jaxcompress.tying.reader import Reader, open_reader
    from jaxcompress.tying.run import Outcome

__all__ = [
    "VARIANTS",
    "Config",
    "DataConfig",
    "ModelConfig",
    "OptimizerConfig",
    "Outcome",
    "Problem",
    "Reader",
    "compare_predictions",
    "compare_runs",
    "evaluate_codes",
    "generate_text",
    "make_problem",
    "open_reader",
    "perplexity",
    "predict_words",
    "published_config",
    "train",
    "with_variant",
]

_FILES = {
    "Outcome": "run",
    "Problem": "prepare",
    "Reader": "reader",
    "compare_predictions": "compare",
    "compare_runs": "compare",
    "evaluate_codes": "evaluate",
    "generate_text": "generate",
    "make_problem": "prepare",
    "open_reader": "reader",
    "perplexity": "evaluate",
    "predict_words": "predict",
}


def train(config: Config, workdir: str) -> "Outcome":
    """Trains, or goes on with, the run in `workdir`; evaluates and exports.

    Args:
        config: what to run.
        workdir: the folder that the run keeps everything in.

    Returns:
        The parameters of the best state, the words, and the figures of `summary.json`.

    Raises:
        InputError: before anything is written, if the input or the config is invalid.
    """
    from jaxcompress.tying.run import train  # here, since it needs jax

    return train(config, workdir)


def __getattr__(name: str) -> Any:
    """Imports a name's file when the name is first asked for, since these files need jax."""
    if name in _FILES:
        return getattr(import_module(f"jaxcompress.tying.{_FILES[name]}"), name)
    raise AttributeError(f"module 'jaxcompress.tying' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_FILES})
