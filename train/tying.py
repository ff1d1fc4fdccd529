"""Trains a language model: `python -m train.tying --config configs/ptb.py:small-real`.

`--mode evaluate` computes the figures of a finished or half-finished run anew (with `--codes FILE`
those of a compressed table in the embedding's place), `--mode export` writes its embedding,
`--mode predict` and `--mode generate` go on from a text, `--mode compare` lays runs side by side.
"""

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxcompress
from jaxcompress import loop, tying
from jaxcompress import workdir as workdirs
from jaxcompress.codes_files import replacing
from jaxcompress.compressed import Codes, number_rows
from jaxcompress.config import Arguments
from jaxcompress.data import lanes, tokens
from jaxcompress.data.vectors import read_words, write_words
from jaxcompress.errors import InputError
from jaxcompress.metrics import plot_comparison, read_lines
from jaxcompress.steps import make_engine
from jaxcompress.task import TrainState
from train import command_line
from train.command_line import say
from train.tables import read_table, write_rows

MODES = ("train", "evaluate", "export", "predict", "generate", "compare")
_EVAL_TOKENS = 2048  # of all lanes, in one batch of an evaluation


@dataclasses.dataclass(frozen=True)
class Options:
    """Flags of the modes."""

    codes: str = ""  # evaluate: a compressed table to put in the embedding's place
    text: str = ""  # predict, generate: what to go on from
    num_words: int = 10  # predict: how many words to show
    num_tokens: int = 50  # generate: how many to add
    temperature: float = 1.0  # generate: of the softmax; below 1 is safer, above 1 bolder
    workdirs: str = ""  # compare: DIR,DIR,...


class Problem(NamedTuple):
    """A corpus and a config, made ready for the loop.

    Attributes:
        job: what the loop runs.
        splits: the positions of each split's tokens in the job's stream.
        steps_per_epoch: whole batches of the training split.
    """

    job: loop.Job
    splits: dict[str, range]
    steps_per_epoch: int


class Outcome(NamedTuple):
    """The best state's parameters, the words of the embedding's rows, and `summary.json`."""

    params: dict[str, Any]
    words: list[str]
    summary: dict[str, Any]


def train(config: tying.Config, workdir: str) -> Outcome:
    """Trains (or goes on), evaluates and exports, with everything kept in `workdir`.

    Raises:
        InputError: before anything is written, where input or config are not possible.
    """
    return _run(config, workdir, "train")


def _run(config: tying.Config, workdir: str, mode: str, codes: str = "") -> Outcome:
    config.check()
    corpus = tokens.read_corpus(
        config.data.path, vocabulary=config.data.vocabulary, max_vocab=config.data.max_vocab
    )
    for note in corpus.notes:
        say(f"note: {note}")
    problem = prepare(corpus, config)
    job = problem.job
    stream = np.concatenate([corpus.splits[split] for split in tokens.SPLITS])
    fingerprint = workdirs.fingerprint(stream[:, None], corpus.words)
    with workdirs.opened(workdir, config, fingerprint) as path:
        if mode == "train":
            _write_vocabulary(path, corpus.words)
            say(
                f"{len(corpus.splits['train']):,} tokens of {corpus.source}, "
                f"{len(corpus.words):,} words; {job.num_steps:,} steps "
                f"({job.num_steps / problem.steps_per_epoch:.3g} epochs) of {config.batch_size} x "
                f"{config.unroll} tokens on {jax.device_count()} {jax.devices()[0].platform} "
                f"device(s); workdir {path}"
            )
            fitted = loop.fit(job, workdir=workdir, say=say)
        else:
            fitted = loop.restore_best(job, workdir)
            say(f"step {fitted.step:,} of {job.num_steps:,}, the best so far")
        summary = {}
        if mode == "evaluate" and codes:
            say("\n" + command_line.table(with_codes(problem, fitted.state, corpus.words, codes)))
        elif mode != "export":
            summary = summarize(problem, corpus, config, fitted)
            say("\n" + command_line.table(summary))
            command_line.write_summary(path, summary, f"{describe(config)}, {summary['dataset']}")
        if mode != "evaluate":
            export(fitted.state, corpus.words, path)
            say(f"\nwrote {path}/export/embedding.npy and embedding.words.txt; compress them with "
                f"python -m train.dccl --config configs/glove.py "
                f"--config.data.path={path}/export/embedding.npy")  # fmt: skip
    return Outcome(jax.device_get(fitted.state.params), corpus.words, summary)


def prepare(corpus: tokens.Corpus, config: tying.Config) -> Problem:
    """Makes task, feeds and engine of a corpus.

    Raises:
        InputError: where the corpus and the config do not fit.
    """
    stream, splits = lanes.as_stream(corpus.splits, corpus.words.index(tokens.END))
    per_epoch = lanes.steps_per_epoch(splits["train"], config.batch_size, config.unroll)
    if per_epoch < 1:
        raise InputError(
            f"{corpus.source}: the train split has {len(splits['train']):,} tokens; expected at "
            f"least batch_size x unroll = {config.batch_size} x {config.unroll}; lower one of them."
        )
    embedding, known = read_embedding(config, corpus.words)
    task = tying.make_task(config.model, len(corpus.words), per_epoch, embedding, known)
    tx = tying.make_optimizer(config.optimizer, per_epoch)
    feed = lanes.training_lanes(splits["train"], config.batch_size, config.unroll)
    engine = make_engine(config.parallel, config.batch_size, task, tx, feed.gather)
    name = f"valid-{config.eval_lanes}-lanes"
    job = loop.Job(
        task=task,
        tx=tx,
        engine=engine,
        data=engine.place_data(stream),
        feed=feed,
        evaluations={name: _evaluation(splits["valid"], config.eval_lanes)},
        config=dataclasses.replace(config, eval_every=config.eval_every or per_epoch),
        num_steps=config.num_steps or max(1, round(config.num_epochs * per_epoch)),
        best_metric=f"{name}_perplexity",
    )
    return Problem(job, splits, per_epoch)


def _evaluation(split: range, num_lanes: int) -> lanes.Feed:
    unroll = max(1, _EVAL_TOKENS // num_lanes)
    return lanes.evaluation_lanes(split, num_lanes, unroll, multiple=jax.device_count())


def read_embedding(
    config: tying.Config, words: list[str]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Reads `config.data.vectors` by word: rows [V, D], and which of them were found."""
    path = config.data.vectors
    if path is None:
        return None, None
    source = read_table(path, config.data.tensor)
    names, table = source.words, source.decode() if isinstance(source, Codes) else source.rows
    if names is None:
        raise InputError(f"{path}: its rows have no names; expected a word for each row.")
    if table.shape[1] != config.model.hidden_size:
        raise InputError(
            f"{path}: {table.shape[1]} dimensions; model.hidden_size is "
            f"{config.model.hidden_size}; set --config.model.hidden_size={table.shape[1]}."
        )
    ids = number_rows(names)
    rows = np.array([ids.get(word, -1) for word in words])
    known = rows >= 0
    if not known.any():
        raise InputError(f"{path}: none of its words is one of the text's {len(words):,}.")
    say(f"{int(known.sum()):,} of {len(words):,} words have a vector in {path}")
    return np.where(known[:, None], table[rows], 0).astype(np.float32), known


def perplexity(problem: Problem, state: TrainState, split: str) -> float:
    """The perplexity of a whole split as one lane, every token counted."""
    feed = _evaluation(problem.splits[split], 1)
    job = problem.job
    return job.task.metrics(loop.evaluate(job, state, feed))["perplexity"]


def summarize(
    problem: Problem, corpus: tokens.Corpus, config: tying.Config, fitted: loop.Fitted
) -> dict[str, Any]:
    """Computes the figures of `summary.json`."""
    params = fitted.state.params
    seen = fitted.step * config.batch_size * config.unroll
    return {
        "dataset": Path(corpus.source).name,
        "variant": describe(config),
        "vocab_size": len(corpus.words),
        **{f"{split}_tokens": len(corpus.splits[split]) for split in tokens.SPLITS},
        "num_parameters": sum(x.size for x in jax.tree.leaves(params)),
        "valid_perplexity": perplexity(problem, fitted.state, "valid"),
        "test_perplexity": perplexity(problem, fitted.state, "test"),
        "best_epoch": int(fitted.state.step) / problem.steps_per_epoch,
        "num_epochs": fitted.step / problem.steps_per_epoch,
        "train_seconds": fitted.train_seconds,
        "tokens_per_second": seen / fitted.train_seconds,
    }


def describe(config: tying.Config) -> str:
    """The paper's name of a model: VD-LSTM, with AL, RE or REAL."""
    model = config.model
    names = {(False, False): "", (True, False): "+RE", (False, True): "+AL", (True, True): "+REAL"}
    name = "VD-LSTM" if model.dropout else "LSTM"
    return f"{name}{names[model.reuse_embedding, model.augmented_loss]} {model.hidden_size}"


def with_codes(problem: Problem, state: TrainState, words: list[str], path: str) -> dict[str, Any]:
    """The figures with a compressed table in the embedding's place: as classifier too, if tied."""
    codes = jaxcompress.load(path)
    original = state.params["embedding"]
    if codes.dim != original.shape[1]:
        raise InputError(f"{path}: {codes.dim} dimensions; the embedding has {original.shape[1]}.")
    absent = [word for word in words if word not in codes]
    if absent:
        raise InputError(
            f"{path}: {len(absent):,} of the model's {len(words):,} words are not in it, "
            f"{absent[0]!r} among them; compress the model's own export/embedding.npy."
        )
    table = codes.decode(np.array([codes.id_of(word) for word in words]))
    table = problem.job.engine.place_shared(jnp.asarray(table))
    compressed = state.replace(params={**state.params, "embedding": table})
    both = "embedding and classifier" if "classifier" not in state.params else "embedding"
    return {
        "compressed": both,
        "embedding_bytes": 4 * original.size,
        "compressed_bytes": codes.num_bytes(),
        **{
            f"{name}{split}_perplexity": perplexity(problem, some, split)
            for split in ("valid", "test")
            for name, some in (("", state), ("compressed_", compressed))
        },
    }


def export(state: TrainState, words: list[str], workdir: Path) -> None:
    """Writes `WORKDIR/export/embedding.npy` [V, D] and its `embedding.words.txt`."""
    if jax.process_index() == 0:
        write_rows(workdir / "export", state.params["embedding"], words)


def _write_vocabulary(workdir: Path, words: list[str]) -> None:
    if jax.process_index() == 0:
        with replacing(workdir / "vocabulary.txt") as partial:
            write_words(partial, words)


class Reader(NamedTuple):
    """A trained model, to go on from texts."""

    config: tying.ModelConfig
    params: dict[str, Any]
    words: list[str]


def open_reader(config: tying.Config, workdir: str) -> Reader:
    """Opens the best state of a run; its text is not needed.

    Raises:
        InputError: where there is no run, or it has no checkpoint yet.
    """
    file = Path(workdir) / "vocabulary.txt"
    if not file.exists():
        raise InputError(f"workdir {workdir} holds no run (no {file}); train one first.")
    words = read_words(file)
    stand_in = np.zeros(config.batch_size * config.unroll, np.int32)
    config = dataclasses.replace(config, data=tying.DataConfig())
    problem = prepare(tokens.Corpus(words, dict.fromkeys(tokens.SPLITS, stand_in)), config)
    fitted = loop.restore_best(problem.job, workdir)
    return Reader(config.model, fitted.state.params, words)


def read_text(reader: Reader, text: str) -> tuple[list[int], str]:
    """Ids of a text's words after an end of line, and the text as the model sees it."""
    ids = {word: i for i, word in enumerate(reader.words)}
    found = tokens.encode(text.split(), ids)
    return [ids[tokens.END], *found], " ".join(reader.words[i] for i in found)


def predict(reader: Reader, text: str, num_words: int) -> list[tuple[str, float]]:
    """The likeliest next words, with their probabilities."""
    ids, _ = read_text(reader, text)
    carry = tying.zero_carry(reader.config, 1)
    _, logits = tying.next_word(reader.params, reader.config, carry, jnp.array(ids))
    values, best = jax.lax.top_k(jax.nn.softmax(logits), min(num_words, len(reader.words)))
    return [(reader.words[i], float(p)) for i, p in zip(best, values, strict=True)]


def generate(reader: Reader, text: str, num_tokens: int, temperature: float, seed: int = 0) -> str:
    """Continues a text; an end of line is a line break."""
    ids, _ = read_text(reader, text)
    drawn = tying.generate(
        jax.random.key(seed), reader.params, reader.config, jnp.array(ids), num_tokens, temperature
    )
    return re.sub(f" ?{tokens.END} ?", "\n", " ".join(reader.words[i] for i in drawn))


def compare(paths: list[str], picture: Path) -> None:
    """Prints runs side by side and draws their curves."""
    columns = ("variant", "num_parameters", "valid_perplexity", "test_perplexity", "num_epochs",
               "best_epoch", "tokens_per_second")  # fmt: skip
    rows, labels = [], {}
    for path in paths:
        config = workdirs.read_config(path, tying.Config)
        file = Path(path) / "summary.json"
        summary = json.loads(file.read_text()) if file.exists() else {}
        if not summary and not read_lines(Path(path) / "metrics.jsonl"):
            raise InputError(f"workdir {path} has no figures yet; train first.")
        rows.append({"workdir": path, "variant": describe(config), **summary})
        labels[f"{describe(config)} ({Path(path).name})"] = path
    say(command_line.columns(rows, ("workdir", *columns)))
    if plot_comparison(labels, picture, "perplexity while training"):
        say(f"\nlearning curves: {picture}")
    else:
        say('\nno learning curves drawn; for them: pip install -e ".[plots]"')


def _main(arguments: Arguments) -> None:
    mode, options = arguments.mode, arguments.options
    if mode == "compare":
        return compare(*command_line.split_workdirs(arguments))
    config, workdir = command_line.config_and_workdir(arguments, tying.Config)
    if mode not in ("predict", "generate"):
        _run(config, workdir, mode, options.codes)
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
        say(generate(reader, options.text, count, options.temperature, config.seed))
    return None


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    return command_line.run(_main, sys.argv if argv is None else argv, MODES, Options())


if __name__ == "__main__":
    sys.exit(main())
