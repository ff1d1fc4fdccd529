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
