"""The tables of a language model: what their rows are made of, and what is kept of them.

A model has a table `embedding`, and without RE one called `classifier`. A dense one is a parameter
[V, D]. Of any other kind the parameter is that of a `WordTable`, and the rows of all V words are
made of it once a step: they are what inputs are taken from, what outputs are multiplied with and
what the teacher of the augmented loss is made of, so that every loss takes every kind. What a table
does not train, codes and which anchors are in use, is the task's `aux`, and so in every checkpoint:
a run needs no other file.

Axis letters: V words, D units.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcompress.codes.artefact import Codes
from jaxcompress.compressed.table import CompressedTable
from jaxcompress.loading import load_codes
from jaxcompress.storage.places import as_path
from jaxcompress.tables.adapt import Plan, make_plan
from jaxcompress.tables.config import TableConfig
from jaxcompress.tables.make import make_table
from jaxcompress.tables.word_table import WordTable, all_rows
from jaxcompress.tying.config import Config

_BEGINS = ".begins.safetensors"  # files of a workdir: the codes that a table began with


@dataclasses.dataclass(frozen=True, eq=False)
class Tables:
    """The tables of a model that are not dense, by the names of their parameters.

    Attributes:
        tables: `embedding`, `classifier`, or none.
        configs: of each its config.
        plans: of each when it changes.
    """

    tables: Mapping[str, WordTable] = dataclasses.field(default_factory=dict)
    configs: Mapping[str, TableConfig] = dataclasses.field(default_factory=dict)
    plans: Mapping[str, Plan] = dataclasses.field(default_factory=dict)

    def first_aux(self) -> dict[str, Any]:
        """Makes what is kept beside the parameters: of each table its data and its masks."""
        return {
            name: {"data": jax.tree.map(jnp.asarray, table.data), **table.embedding.aux()}
            for name, table in self.tables.items()
        }

    def rows(self, name: str, params: Any, aux: Mapping[str, Any]) -> jax.Array:
        """Makes the rows of all words, [V, D]; an array is those already."""
        if not isinstance(params, Mapping):
            return params
        own = aux[name]
        return all_rows(self.tables[name], {**params, **own}, own["data"])

    @property
    def change(self) -> bool:
        """Whether anything changes after an evaluation."""
        return any(table.embedding.adapt for table in self.tables.values())

    def adapt(
        self, step: jax.Array, key: jax.Array, params: dict, aux: dict, loss: jax.Array
    ) -> tuple[dict, dict]:
        """Lets tables change after an evaluation that found such a loss, in nats a token."""
        params, aux = dict(params), dict(aux)
        for i, (name, table) in enumerate(self.tables.items()):
            if (change := table.embedding.adapt) is not None:
                own, key_of_table = aux[name], jax.random.fold_in(key, i)
                params[name], new = change(step, key_of_table, params[name], own, loss)
                aux[name] = {**own, **new}
        return params, aux

    def artefacts(self, params: dict, aux: dict) -> dict[str, CompressedTable]:
        """Makes of each table what is kept of it; parameters and aux are on the host."""
        return {
            name: table.to_artefact({**params[name], **aux[name]})
            for name, table in self.tables.items()
        }

    def decoded(self, params: dict, aux: dict) -> dict[str, Any]:
        """Makes the parameters of the dense model with the same rows; all may be on the host."""
        own = {name: params[name] for name in self.tables}
        own, aux = jax.tree.map(jnp.asarray, (own, aux))
        found = {name: self.rows(name, own[name], aux) for name in self.tables}
        return {**params, **found}


NO_TABLES = Tables()


def make_tables(
    config: Config, words: Sequence[str], tokens: np.ndarray, num_steps: int, eval_every: int
) -> Tables:
    """Makes the tables that a config asks for.

    Args:
        config: the run's.
        words: the V words.
        tokens: int, the training split, which says how frequent words are.
        num_steps: steps of the run.
        eval_every: steps between two evaluations.

    Raises:
        InputError: if codes are missing or do not fit, or the run is too short.
    """
    configs = {n: c for n, c in config.table_configs().items() if c.kind != "dense"}
    plans = {name: make_plan(own, num_steps, eval_every) for name, own in configs.items()}
    counts = np.bincount(tokens, minlength=len(words))
    tables = {
        name: make_table(
            own,
            words,
            config.model.hidden_size,
            scale=config.model.init_scale / 3**0.5,  # that of a uniform distribution
            plan=plans[name],
            counts=counts,
            codes=given_codes(own),
        )
        for name, own in configs.items()
    }
    return Tables(tables, configs, plans)


def given_codes(config: TableConfig) -> Codes | None:
    """Opens the codes that a table begins with; None if it begins with none."""
    return None if config.codes is None else load_codes(config.codes)


def keep_codes(config: Config, workdir: Path) -> None:
    """Keeps the codes that tables begin with in a run's folder, on process 0, if it has none."""
    for name, table in config.table_configs().items():
        codes, file = given_codes(table), workdir / f"{name}{_BEGINS}"
        if codes is not None and not file.exists() and jax.process_index() == 0:
            dataclasses.replace(codes, encoder=None).save(file)


def with_kept_codes(config: Config, workdir: str | os.PathLike) -> Config:
    """Makes tables begin with what `keep_codes` kept, if it did, wherever the codes are now."""
    kept = {}
    for name, table in config.table_configs().items():
        file = as_path(workdir) / f"{name}{_BEGINS}"
        if table.codes is not None and file.exists():
            kept[name] = dataclasses.replace(table, codes=str(file))
    return dataclasses.replace(config, **kept)
