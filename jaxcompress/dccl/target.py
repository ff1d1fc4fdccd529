"""`target_mb`: the size of codes that a run takes is chosen by the bytes it may have."""

import dataclasses
from collections.abc import Callable

import numpy as np

from jaxcompress.codes.chooser import Choice, choose_size, integers_note
from jaxcompress.dccl.config import Config, ModelConfig
from jaxcompress.dccl.prepare import split_ids


def settle_target(
    rows: np.ndarray, config: Config, say: Callable[[str], None], *, can_group: bool = True
) -> Config:
    """Gives the config with the best size within its target; as it is, if it has none.

    Args:
        rows: float [N, D], the whole table.
        config: what was asked for.
        say: takes a line for the user: the size, and notes.
        can_group: whether codebooks may lie in groups; a metric mixes the dimensions.

    Raises:
        InputError: if nothing fits, or the target has room for the rows themselves.
    """
    if config.target_mb is None:
        return config
    can_group = can_group and not config.data.shard  # whose tables have no groups
    can_group = can_group and config.refine.num_rounds != 0  # without refinement none are added
    num_trained = len(split_ids(len(rows), config)[0])
    choice = choose_size(rows, config.target_mb, config.codebook_type, num_trained, can_group)
    say(f"chosen: {choice}; {choice.num_bytes / 1e6:.5g} MB of at most {config.target_mb}")
    if note := integers_note(rows, config.target_mb, choice.error):
        say(f"note: {note}")
    own, default = _size_of(config.model), _size_of(ModelConfig())
    if own != default:
        say(
            f"note: target_mb takes the place of {own}, which model.num_codebooks and "
            "model.num_codewords say."
        )
    return with_choice(config, choice)


def with_choice(config: Config, choice: Choice) -> Config:
    """Gives the config with a size in place of its own and of its target."""
    model = dataclasses.replace(
        config.model,
        num_codebooks=choice.num_shared,
        num_codewords=choice.num_codewords,
        num_groups=choice.num_groups,
        codebooks_per_group=choice.per_group,
    )
    return dataclasses.replace(
        config, model=model, codebook_type=choice.codebook_type, target_mb=None
    )


def _size_of(model: ModelConfig) -> str:
    return f"{model.num_codebooks} x {model.num_codewords}"
