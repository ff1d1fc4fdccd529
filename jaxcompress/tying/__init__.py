"""Face of tying."""

from jaxcompress.tying.config import (
    VARIANTS,
    Config,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    published_config,
    with_variant,
)

__all__ = [
    "VARIANTS",
    "Config",
    "DataConfig",
    "ModelConfig",
    "OptimizerConfig",
    "published_config",
    "with_variant",
]
