"""What the loop and the mains see of devices."""

from collections.abc import Callable
from typing import NamedTuple

from jaxcompress.engine.mapper import Mapper
from jaxcompress.engine.task import PyTree, TrainState


class Engine(NamedTuple):
    """How steps are run on the devices there are; the loop and the mains see only this.

    Attributes:
        place_data: NumPy pytree -> the same on every device, each table stored row by row.
        place_shared: any pytree -> the same arrays on every device, as `map` takes them.
        place_state: a state (host or device) -> as `train` takes it.
        place_index: this process's part of an index (NumPy) -> the index [steps, B, ...] as `step`
            takes it.
        step: the compiled `state, data, index, key -> state, metrics`, of what has been placed.
        train: `state, data, index (NumPy), key -> state, metrics [steps]`; the index has leading
            axes [steps, B], and of B this process's part.
        global_state: the state of `train` as plain replicated arrays: to evaluate, to save.
        map: `function, state, data, index -> function(state, batch)`, replicated; the index is
            this process's part of B rows, a multiple of the number of devices.
        own_part: `() -> slice`, the part of a training batch that this process makes.
        mapper: how functions of other batches are run, of the same data.
    """

    place_data: Callable[[PyTree], PyTree]
    place_shared: Callable[[PyTree], PyTree]
    place_state: Callable[[TrainState], TrainState]
    place_index: Callable[[PyTree], PyTree]
    step: Callable[..., tuple[TrainState, dict]]
    train: Callable[..., tuple[TrainState, dict]]
    global_state: Callable[[TrainState], TrainState]
    map: Callable[..., PyTree]
    own_part: Callable[[], slice]
    mapper: Mapper
