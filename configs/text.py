"""Text of one's own: a folder with train.txt, valid.txt and test.txt, words separated by spaces.

Command:  python -m train.tying --config configs/text.py --config.data.path=FOLDER
          or configs/text.py:VARIANT, one of baseline, al, re, real; the 10,000 most frequent words
          are kept (--config.data.max_vocab)
"""

from jaxcompress import tying


def get_config(variant: str = "real") -> tying.Config:
    return tying.Config(
        num_epochs=20.0,
        data=tying.DataConfig(path="text", max_vocab=10_000),
        model=tying.with_variant(tying.ModelConfig(), variant),
    )
