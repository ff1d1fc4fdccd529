"""The requests to stop that a run gets: Ctrl-C and SIGTERM, on any of its processes."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxcompress.engine.mapper import AXIS


class StopRequests:
    """Whether a run was asked to stop.

    Several processes must stop at the same step, whichever of them got the signal. So all of them
    ask together, and get the same answer.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self._any = _any_process() if jax.process_count() > 1 else None
        self._asked, self._is_agreed = None, False

    def asked(self, *, wait: bool = False) -> bool:
        """Says whether to stop; every process must call this equally often.

        Args:
            wait: whether to wait for the others' answers; if not, these count in the next call, and
                the devices need not pause.
        """
        if self._any is None:
            return self.event.is_set()
        before, self._asked = self._asked, self._any(self.event.is_set())
        if wait:
            self._is_agreed |= bool(self._asked)
        if before is not None:
            self._is_agreed |= bool(before)
        return self._is_agreed


def _any_process() -> Callable[[bool], jax.Array]:
    """Makes a function from this process's flag to whether the flag of any process is set."""
    mesh = jax.make_mesh((jax.device_count(),), (AXIS,), axis_types=(AxisType.Auto,))
    split, everywhere = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((AXIS,), ()))
    reduce = jax.jit(jnp.any, out_shardings=everywhere)

    def ask(flag: bool) -> jax.Array:
        shape = (jax.device_count(),)
        return reduce(jax.make_array_from_callback(shape, split, lambda _: np.array([flag])))

    return ask


@contextlib.contextmanager
def stop_requests(can_save: bool) -> Iterator[StopRequests]:
    """Turns the first Ctrl-C or SIGTERM into a request; the second one interrupts as ever.

    Signals are left alone in a thread, which cannot have them.

    Args:
        can_save: whether the run can save its state; if not, signals act as they do elsewhere.
    """
    requests = StopRequests()
    if not can_save or threading.current_thread() is not threading.main_thread():
        yield requests
        return
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def restore():
        for s, handler in before.items():
            signal.signal(s, handler)

    def stop(number, frame):
        requests.event.set()
        restore()

    try:
        for s in before:
            signal.signal(s, stop)
        yield requests
    finally:
        restore()
