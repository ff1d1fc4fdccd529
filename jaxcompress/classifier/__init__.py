"""Face of classifier."""

from jaxcompress.classifier.config import (
    EMBEDDINGS,
    FROM_SCRATCH,
    POOLINGS,
    Config,
    DataConfig,
    ModelConfig,
    OptimizerConfig,
)

__all__ = [
    "EMBEDDINGS",
    "FROM_SCRATCH",
    "POOLINGS",
    "Config",
    "DataConfig",
    "ModelConfig",
    "OptimizerConfig",
]
