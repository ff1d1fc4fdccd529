"""The phases of a run, in steps: anchors are sought, entries are pruned, what is left is fitted."""

from typing import NamedTuple

from jaxcompress.ant.config import Config
from jaxcompress.errors import InputError

PRUNE_SHARE, DEBIAS_SHARE = 0.31, 0.45  # shares of the steps after growth, if a config has none


class Schedule(NamedTuple):
    """Steps at which phases begin and end; at each but `end` there is an evaluation.

    Attributes:
        grown: the step at which NBANT's number of anchors is chosen; 0 if it is given.
        prune: the step at which pruning begins.
        debias: the step at which the last phase begins, without penalty or pruning.
        end: the last step of the run.
        best_from: the first step whose state may be the best one.
        cooldown: the number of steps, at the end, in which the learning rate falls to 0.
    """

    grown: int
    prune: int
    debias: int
    end: int
    best_from: int
    cooldown: int


def make_schedule(config: Config, num_steps: int, eval_every: int) -> Schedule:
    """Lays out the phases, in whole evaluations.

    Args:
        config: lengths of phases, or None for shares of the run.
        num_steps: steps of the run.
        eval_every: steps between two evaluations.

    Raises:
        InputError: if the phases are longer than the run.
    """

    def whole(steps: float) -> int:
        return round(steps / eval_every) * eval_every

    def of_rest(steps: int | None, share: float) -> int:
        derived = share * (num_steps - grown) if config.penalty.num_parameters else 0
        return whole(derived if steps is None else steps)

    grown = 0
    if config.growth.enabled:
        share = 0.25 if config.penalty.num_parameters else 1.0
        grown = whole(share * num_steps) if config.growth.num_steps is None else (
            whole(config.growth.num_steps))  # fmt: skip
    debias_steps = of_rest(config.debias_steps, DEBIAS_SHARE)
    prune_steps = of_rest(config.prune_steps, PRUNE_SHARE)
    debias = num_steps
    if debias_steps or config.penalty.num_parameters:
        debias = whole(num_steps - max(debias_steps, eval_every))
    prune = debias - prune_steps
    if debias < 1 or (debias < num_steps and min(grown, num_steps) > prune):
        raise InputError(
            f"the run has {num_steps} steps, an evaluation every {eval_every}; that is too few for "
            f"{grown} steps of growth, prune_steps {prune_steps} and debias_steps {debias_steps}; "
            "raise num_epochs or num_steps."
        )
    # A state is evaluated before its entries or anchors go.
    best_from = debias + 1 if debias < num_steps else grown + 1 if grown < num_steps else 0
    cooldown = whole(config.optimizer.cooldown * (num_steps - grown))
    return Schedule(grown, prune, debias, num_steps, best_from, cooldown)
