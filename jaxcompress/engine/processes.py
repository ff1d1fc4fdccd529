"""The requests to stop that a run's process gets."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def stop_requests(can_save: bool) -> Iterator[threading.Event]:
    """Turns the first Ctrl-C or SIGTERM into an event; the second one interrupts as ever.

    Left alone in a thread and with several processes, which would have to agree on the step.

    Args:
        can_save: whether the run can save its state; if not, signals act as they do elsewhere.
    """
    event = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()
    if not can_save or not is_main or jax.process_count() > 1:
        yield event
        return
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}

    def stop(number, frame):
        event.set()
        for s, handler in before.items():
            signal.signal(s, handler)

    try:
        for s in before:
            signal.signal(s, stop)
        yield event
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)
