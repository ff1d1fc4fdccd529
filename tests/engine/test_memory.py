"""The best state of a run that writes nothing."""

import jax.numpy as jnp
import numpy as np

from jaxcompress.engine.memory import BestInMemory
from jaxcompress.engine.task import TrainState


def state(value):
    return TrainState(jnp.int32(value), {"w": jnp.full(2, value)}, jnp.zeros(9), {}, ())


def test_the_state_of_the_least_metric_is_kept_and_of_equal_ones_the_latest():
    for metrics, best in (([3, 1, 2], 1), ([1, 2, 3], 0), ([2, 1, 1], 2), ([None, 5, None], 1)):
        kept = BestInMemory("error")
        for step, value in enumerate(metrics):
            kept.save(step, state(step), {}, None if value is None else {"error": value})
        found = kept.restore_best(None)
        assert (found.step, int(found.state.step)) == (best, best)
        np.testing.assert_array_equal(found.state.params["w"], [best, best])
        assert found.state.opt_state == ()


def test_the_state_that_is_kept_outlives_the_one_that_was_saved():
    kept, saved = BestInMemory("error"), state(4)
    kept.save(4, saved, {}, {"error": 1.0})
    saved.params["w"].delete()  # as the next step does, which takes its place
    np.testing.assert_array_equal(kept.restore_best(None).state.params["w"], [4, 4])


def test_without_a_metric_there_is_no_best_state():
    kept = BestInMemory("error")
    kept.save(4, state(4), {})
    assert kept.restore_best(None) is None
