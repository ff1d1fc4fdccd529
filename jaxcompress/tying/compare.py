"""Trains a language model: `python -m train.tying --config configs/ptb.py:small-real`.

`--mode evaluate` computes the figures of a finished or half-finished run anew (with `--codes FILE`
those of a compressed table in the embedding's place), `--mode export` writes its embedding,
`--mode predict` and `--mode generate` go on from a text, `--mode compare` lays runs side by side.
"""

import json
from pathlib import Path

from jaxcompress.engine import report
from jaxcompress.engine.log import read_lines
from jaxcompress.engine.plots import plot_comparison
from jaxcompress.engine.report import say
from jaxcompress.engine.workdir import read_config
from jaxcompress.errors import InputError
from jaxcompress.tying.config import Config, describe


def compare(paths: list[str], picture: Path) -> None:
    """Prints runs side by side and draws their curves."""
    columns = ("variant", "num_parameters", "valid_perplexity", "test_perplexity", "num_epochs",
               "best_epoch", "tokens_per_second")  # fmt: skip
    rows, labels = [], {}
    for path in paths:
        config = read_config(path, Config)
        file = Path(path) / "summary.json"
        summary = json.loads(file.read_text()) if file.exists() else {}
        if not summary and not read_lines(Path(path) / "metrics.jsonl"):
            raise InputError(f"workdir {path} has no figures yet; train first.")
        rows.append({"workdir": path, "variant": describe(config), **summary})
        labels[f"{describe(config)} ({Path(path).name})"] = path
    say(report.format_rows(rows, ("workdir", *columns)))
    if plot_comparison(labels, picture, "perplexity while training"):
        say(f"\nlearning curves: {picture}")
    else:
        say('\nno learning curves drawn; for them: pip install -e ".[plots]"')
