"""Where figures go while a run trains: JSON lines, TensorBoard, a progress bar.

Only process 0 writes. Each figure is a float; names are `train_...` for the batch of that step, and
`NAME_...` for the evaluation called NAME.
"""

import json
import math
import os
import sys
from collections.abc import Mapping

import jax

from jaxcompress.bars import tqdm
from jaxcompress.storage.atomic import atomic_write
from jaxcompress.storage.growing import GrowingFiles
from jaxcompress.storage.places import as_path

METRICS_FILE = "metrics.jsonl"  # in a workdir


class MetricsLog:
    """Writes `WORKDIR/metrics.jsonl` and TensorBoard files, and shows a bar on a terminal.

    Args:
        workdir: the run's folder, or None for a bar alone.
        num_steps: the end of the bar.
        start_step: the step that a resumed run goes on from; lines of later steps are deleted.
        units_per_step: units of a step, for units/s in the bar.
        unit: their name: rows, tokens.
        show: whether to show the bar.
    """

    def __init__(
        self,
        workdir: str | os.PathLike | None,
        num_steps: int,
        start_step: int,
        units_per_step: int,
        *,
        unit: str = "rows",
        show: bool = True,
    ):
        is_writer = jax.process_index() == 0
        self._bar = tqdm(
            total=num_steps * units_per_step,
            initial=start_step * units_per_step,
            unit=unit,
            unit_scale=True,
            mininterval=0.5,
            disable=not (show and is_writer),
            file=sys.stderr,
        )
        self._units_per_step = units_per_step
        self._lines = self._board = None
        if workdir is not None and is_writer:
            import tensorboardX  # here, since it imports torch if that is installed

            self._files = GrowingFiles(workdir)
            path = self._files.local / METRICS_FILE
            kept = [line for line in read_lines(workdir) if line["step"] <= start_step]
            with atomic_write(path) as partial:
                partial.write_text("".join(json.dumps(line) + "\n" for line in kept))
            self._lines = open(path, "a")  # noqa: SIM115 -- closed by close()
            self._board = tensorboardX.SummaryWriter(
                str(self._files.local / "tensorboard"), purge_step=start_step + 1
            )

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Writes one line; a figure that is not finite is left out of it."""
        finite = {k: float(v) for k, v in figures.items() if math.isfinite(v)}
        if self._lines is not None:
            self._lines.write(json.dumps({"step": step, **finite}) + "\n")
            self._lines.flush()
            for name, value in finite.items():
                self._board.add_scalar(name, value, step)

    def send(self) -> None:
        """Brings what was written to the workdir, if that is in an object store."""
        if self._lines is not None and self._files.is_remote:
            self._board.flush()
            self._files.send()

    def progress(self, step: int, loss: float) -> None:
        """Moves the bar to `step`."""
        self._bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        self._bar.update(step * self._units_per_step - self._bar.n)

    def close(self) -> None:
        """Finishes the files and the bar."""
        self._bar.close()
        if self._lines is not None:
            self._lines.close()
            self._board.close()
            self._files.close()


def read_lines(workdir: str | os.PathLike) -> list[dict[str, float]]:
    """Reads the lines of `WORKDIR/metrics.jsonl`; one cut short by a kill is left out."""
    lines, file = [], as_path(workdir) / METRICS_FILE
    if file.exists():
        for text in file.read_text().splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:
                continue
    return lines
