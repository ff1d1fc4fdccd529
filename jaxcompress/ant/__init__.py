"""Face of ant."""

from jaxcompress.ant.config import (
    METHODS,
    Config,
    DataConfig,
    GrowthConfig,
    ModelConfig,
    OptimizerConfig,
    PenaltyConfig,
    StreamConfig,
    published_config,
)

__all__ = [
    "METHODS",
    "Config",
    "DataConfig",
    "GrowthConfig",
    "ModelConfig",
    "OptimizerConfig",
    "PenaltyConfig",
    "StreamConfig",
    "published_config",
]
