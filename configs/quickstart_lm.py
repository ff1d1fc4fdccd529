"""Quickstart of language models: the standard library's English, REAL, 128 units, 2 epochs.

Not a row of the paper's tables. No download.

Command:  python -m train.tying --config configs/quickstart_lm.py
Time:     about two minutes on two cores
Result:   a test perplexity of about 97 (the text is that of Python 3.11)
"""

from jaxcompress import tying


def get_config() -> tying.Config:
    return tying.Config(
        batch_size=32,
        unroll=35,
        num_epochs=2.0,
        data=tying.DataConfig(path="stdlib", max_vocab=4_000),
        model=tying.ModelConfig(
            hidden_size=128,
            dropout=0.1,
            reuse_embedding=True,
            augmented_loss=True,
            gamma=0.65,
            temperature=20.0,
        ),
        optimizer=tying.OptimizerConfig(learning_rate=0.5, full_epochs=1, decay=0.5, clip_norm=5.0),
    )
