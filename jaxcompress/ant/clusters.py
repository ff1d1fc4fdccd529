"""A short dense run, for anchors that start as centres of clusters of its rows."""

import dataclasses

import numpy as np

from jaxcompress.ant.config import Config, ModelConfig
from jaxcompress.ant.model import SIDES
from jaxcompress.ant.plan import make_plan, settle
from jaxcompress.ant.prepare import prepare
from jaxcompress.ant.starts import check_anchors
from jaxcompress.data.ratings.read import Ratings
from jaxcompress.engine.loop import fit

_NUM_EPOCHS = 3


def learn_dense_rows(ratings: Ratings, config: Config) -> dict[str, np.ndarray]:
    """Trains dense tables for three epochs, without penalties.

    It is a function of ratings and config alone, so that a resumed run, which does it again, has
    the same rows.

    Args:
        ratings: the ratings.
        config: the run's; its data, seed, batch size, dimension and learning rate are taken.

    Returns:
        Of each side all rows, float32 [V, D].

    Raises:
        InputError: if the config asks for more anchors than there are rows.
    """
    check_anchors(config, ratings)
    model = config.model
    plain = Config(
        seed=config.seed,
        batch_size=config.batch_size,
        num_epochs=_NUM_EPOCHS,
        data=dataclasses.replace(config.data, related_users=None, related_items=None),
        model=ModelConfig(table="dense", latent_dim=model.latent_dim, biases=model.biases),
        optimizer=config.optimizer,
    )
    if config.stream.window is not None and not config.stream.looks_ahead:
        ratings = _first_window(ratings, config)
    fitted = fit(prepare(ratings, plain).job, show_progress=False)
    return {side: np.asarray(fitted.state.params[side]["table"]) for side in SIDES}


def _first_window(ratings: Ratings, config: Config) -> Ratings:
    """Takes what is known when a stream starts; all users and items keep their rows."""
    first = make_plan(ratings, settle(ratings, config)).parts[0]
    columns = (ratings.users, ratings.items, ratings.values, ratings.times)
    return Ratings(*(column[first] for column in columns), ratings.user_ids, ratings.item_ids)
