"""Quickstart of language models: the standard library's English, REAL, 128 units, 2 epochs.

Not a row of the paper's table.
Command:  python -m train.tying --config configs/quickstart_lm.py
Expected: test perplexity of about 97, in two minutes on two cores (the text is that of Python 3.11)
"""

from jaxcompress import tying


def get_config() -> tying.Config:
    return tying.Config(
        num_epochs=2.0,
        batch_size=32,
        data=tying.DataConfig(max_vocab=4_000),
        model=tying.ModelConfig(
            hidden_size=128, dropout=0.1, reuse_embedding=True, augmented_loss=True
        ),
        optimizer=tying.OptimizerConfig(learning_rate=0.5, full_epochs=1, decay=0.5),
    )
