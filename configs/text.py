"""Text of your own: a folder with train.txt, valid.txt and test.txt, words separated by spaces.

Not a row of the paper's tables.

Command:  python -m train.tying --config configs/text.py --config.data.path=FOLDER
          or configs/text.py:VARIANT, one of baseline, al, re, real
Data:     the 10,000 most frequent words are kept (--config.data.max_vocab=NUMBER)
Time:     at 4,444 tokens a second on two cores, measured for real without dropout
Result:   that of the text; of the standard library's (--config.data.path=stdlib), 2,000 words, 72.4
          after 1,000 steps
"""

from jaxcompress import tying


def get_config(variant: str = "real") -> tying.Config:
    model = tying.ModelConfig(
        hidden_size=200, dropout=0.3, init_scale=0.1, gamma=0.65, temperature=20.0
    )
    return tying.Config(
        batch_size=20,
        unroll=35,
        num_epochs=20.0,
        data=tying.DataConfig(path="text", max_vocab=10_000),
        model=tying.with_variant(model, variant),
        optimizer=tying.OptimizerConfig(learning_rate=1.0, full_epochs=5, decay=0.9, clip_norm=5.0),
    )
