"""A config for the tests of the reference: the site tells configs by the name of their module."""

import dataclasses

from jaxcompress.engine.config import RunConfig, setting


@dataclasses.dataclass(kw_only=True)
class Example:
    """A config."""

    rate: float = setting(1.0, above=0)  # of *Adam*
    # a file, or
    # "stdlib"
    path: str | None = setting(None)
    group: RunConfig = dataclasses.field(default_factory=RunConfig)
