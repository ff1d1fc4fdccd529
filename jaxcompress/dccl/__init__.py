"""Face of dccl."""

from jaxcompress.codes.config import RefineConfig
from jaxcompress.dccl.config import (
    Config,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
    SweepConfig,
    hidden_size,
)

__all__ = [
    "Config",
    "DataConfig",
    "ModelConfig",
    "OptimizerConfig",
    "RefineConfig",
    "SweepConfig",
    "hidden_size",
]
