"""What can be set for refinement, by whatever asks for it."""

import dataclasses

from jaxcompress.engine.config import setting


@dataclasses.dataclass(kw_only=True)
class RefineConfig:
    """How long codes and codebooks are refined after training."""

    # rounds of local search and least-squares codebooks; 0: no refinement; None: 40, and up to 120
    # of a small table
    num_rounds: int | None = setting(None, at_least=0)
    # steps of search in a round; None: three times the number of codebooks
    num_steps: int | None = setting(None, at_least=1)


def default_rounds(num_rows: int) -> int:
    """Chooses the rounds for N rows: those of small tables are short, and noise needs many.

    >>> [default_rounds(num_rows) for num_rows in (2_604, 10_000, 400_000)]
    [111, 57, 40]
    """
    return round(40 * min(3.0, max(1.0, (20_000 / max(1, num_rows)) ** 0.5)))
