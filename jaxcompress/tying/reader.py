"""A trained model that reads texts of the user's own; the text it was trained on is not needed."""

import dataclasses
import os
from typing import Any, NamedTuple

import numpy as np

from jaxcompress.data.text.corpus import END, SPLITS, Corpus, token_ids
from jaxcompress.engine.loop import restore_best
from jaxcompress.engine.own_settings import own_settings
from jaxcompress.engine.workdir import read_config
from jaxcompress.errors import InputError
from jaxcompress.storage.names import read_names
from jaxcompress.storage.places import as_path
from jaxcompress.tying.config import Config, DataConfig, ModelConfig
from jaxcompress.tying.prepare import prepare
from jaxcompress.tying.tables import with_kept_codes

_STEPS = 1000  # of a run that will not be taken: as many as any plan needs
VOCABULARY = "vocabulary.txt"  # file of a workdir: the model's words


class Reader(NamedTuple):
    """A trained model and its words.

    Attributes:
        config: the model's.
        params: the parameters of the best state, as `make_task` describes them; all tables are
            dense, decoded if need be.
        words: the V words, in the order of the embedding's rows.
    """

    config: ModelConfig
    params: dict[str, Any]
    words: list[str]


@own_settings
def open_reader(workdir: str | os.PathLike, config: Config | None = None) -> Reader:
    """Opens the best state of a run, which may be under way.

    Args:
        workdir: the folder of a run.
        config: the run's config; None: as the run keeps it.

    Raises:
        InputError: if there is no run, or it has no checkpoint yet.
    """
    if config is None:
        config = read_config(workdir, Config)
    file = as_path(workdir) / VOCABULARY
    if not file.exists():
        raise InputError(f"workdir {workdir} holds no run (no {file}); train one first.")
    words = read_names(file)
    # A state is restored into the job that it was saved from; any text of one batch makes that job.
    one_batch = np.zeros(config.batch_size * config.unroll, np.int32)
    config = with_kept_codes(dataclasses.replace(config, data=DataConfig()), workdir)
    config = dataclasses.replace(config, num_steps=_STEPS, eval_every=None)
    problem = prepare(Corpus(words, dict.fromkeys(SPLITS, one_batch)), config)
    state = restore_best(problem.job, workdir).state
    return Reader(config.model, problem.tables.decoded(state.params, state.aux), words)


def read_text(reader: Reader, text: str) -> tuple[list[int], str]:
    """Reads a text, words separated by white space, as the model does.

    >>> reader = Reader(ModelConfig(), {}, ["<eos>", "<unk>", "anna"])
    >>> read_text(reader, "Anna knows")
    ([0, 2, 1], 'anna <unk>')

    Returns:
        The numbers of its words, after that of an end of line; and the words that they stand for.
    """
    ids = {word: i for i, word in enumerate(reader.words)}
    found = token_ids(text.split(), ids)
    return [ids[END], *found], " ".join(reader.words[i] for i in found)
