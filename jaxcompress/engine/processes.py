"""The processes of a run on several hosts: how they join, and what one says if another dies.

If one dies, jax aborts the others from C++, with a stack and the status of an abort, and nothing
inside a process can prevent that. So each works in a child, and its parent, which jax does not
reach, says in one line what has happened.
"""

import os
import re
import signal
import sys
import threading
import time
import traceback

import jax

from jaxcompress.errors import InputError

OTHER_DIED = "another process died; run the same command to go on."
_HEARTBEAT = 8  # seconds without a sign of life after which a process counts as dead
_SERVICE = "jax_enable_preemption_service"
_ERROR = re.compile(rb"[EF]\d{4} ")  # how a line of an error begins in C++
_ABORTED = b"JAX distributed service detected fatal errors"
_joined = threading.Event()


def join_processes() -> int | None:
    """Joins the processes of all hosts, in a child of this one.

    TPU pods and clusters tell jax all it needs; elsewhere JAX_COORDINATOR_ADDRESS,
    JAX_NUM_PROCESSES and JAX_PROCESS_ID do.

    Returns:
        None in the child, which goes on; in the parent the status to exit with, once it has ended.

    Raises:
        InputError: if they cannot join.
    """
    status = _go_on_in_child()
    if status is not None:
        return status
    number, process = (os.environ.get(f"JAX_{n}") for n in ("NUM_PROCESSES", "PROCESS_ID"))
    if hasattr(jax.config, _SERVICE):  # it would take SIGTERM for itself; jax 0.7 has none
        jax.config.update(_SERVICE, False)
    try:
        jax.distributed.initialize(
            num_processes=int(number) if number else None,
            process_id=int(process) if process else None,
            heartbeat_timeout_seconds=_HEARTBEAT,
        )
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"the processes cannot join ({reason}); set JAX_COORDINATOR_ADDRESS, "
            "JAX_NUM_PROCESSES and JAX_PROCESS_ID in each."
        ) from None
    _joined.set()
    return None


def leave_processes(status: int | None, error: BaseException) -> None:
    """Ends this process at once if it is one of several; jax would have it wait for the others.

    Args:
        status: to exit with; None: the error is printed, and the status is 1.
        error: why it fails.
    """
    if not _joined.is_set():
        return
    if status is None:
        time.sleep(1.5 * _HEARTBEAT)  # if another one's death is the cause, jax aborts this one now
        traceback.print_exception(error)
    if jax.process_index() == 0:
        time.sleep(2)  # all end with this one, and they may be about to say the same
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if status is None else status)


def _go_on_in_child() -> int | None:
    """Returns None in a child, and in this process the child's status, once it has ended."""
    if not hasattr(os, "fork"):
        return None
    sys.stdout.flush()
    sys.stderr.flush()
    native, alive = os.pipe(), os.pipe()
    child = os.fork()
    if child:
        os.close(native[1])
        os.close(alive[0])
        try:
            return _watch(child, native[0])
        finally:
            os.close(alive[1])
    os.setpgid(0, 0)  # Ctrl-C in a terminal reaches the parent alone, which passes it on
    os.close(native[0])
    os.close(alive[1])
    threading.Thread(target=_end_with_parent, args=(alive[0],), daemon=True).start()
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)  # that of Python
    os.dup2(native[1], 2)  # that of C++
    os.close(native[1])
    return None


def _end_with_parent(alive: int) -> None:
    os.read(alive, 1)  # returns once the parent has gone
    os._exit(1)


def _watch(child: int, native: int) -> int:
    """Passes signals to the child, and passes on what it says in C++; returns its exit status.

    From the first error in C++ on, that is held until it is known whether another process was the
    cause.
    """

    def pass_on(number, frame):
        os.kill(child, number)

    before = {s: signal.signal(s, pass_on) for s in (signal.SIGINT, signal.SIGTERM)}
    held = b""
    with os.fdopen(native, "rb") as lines:
        for line in lines:
            if held or _ERROR.match(line):
                held += line
            else:
                os.write(2, line)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for s, handler in before.items():
        signal.signal(s, handler)
    if status == -signal.SIGABRT and _ABORTED in held:
        print(f"\nerror: {OTHER_DIED}", file=sys.stderr)  # below the bar
        return 1
    os.write(2, held)
    return status if status >= 0 else 128 - status
