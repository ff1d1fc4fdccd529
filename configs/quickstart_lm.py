"""Quickstart of language models: the standard library's English, REAL, 128 units, 3 epochs.

Command:   python -m train.tying --config configs/quickstart_lm.py
"""

from jaxcompress import tying


def get_config() -> tying.Config:
    return tying.Config(
        num_epochs=3.0,
        batch_size=32,
        data=tying.DataConfig(max_vocab=4_000),
        model=tying.ModelConfig(
            hidden_size=128, dropout=0.1, reuse_embedding=True, augmented_loss=True
        ),
        optimizer=tying.OptimizerConfig(full_epochs=2, decay=0.5),
    )
