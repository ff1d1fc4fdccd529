"""Penn Treebank: the rows of Table 1 of Inan, Khosravi & Socher, ICLR 2017.

Command:  python -m train.tying --config configs/ptb.py:SIZE-VARIANT
          SIZE: small (200 units), medium (650), large (1,500); VARIANT: baseline, al, re, real
Data:     ptb/ptb.{train,valid,test}.txt

Expected perplexity, validation / test, as the paper has it:

            baseline (VD-LSTM)   al            re            real
  small     92.6 / 87.3          86.3 / 82.9   89.9 / 85.1   86.3 / 82.7
  medium    82.0 / 77.7          77.4 / 74.7   77.1 / 73.9   75.7 / 73.2
  large     76.8 / 72.6          74.5 / 71.2   72.5 / 69.0   71.1 / 68.5
"""

from jaxcompress import tying

SIZES = {  # model, optimizer, epochs
    "small": (
        tying.ModelConfig(hidden_size=200, dropout=0.3, init_scale=0.1),
        tying.OptimizerConfig(full_epochs=5, decay=0.9, clip_norm=5.0),
        60.0,
    ),
    "medium": (
        tying.ModelConfig(hidden_size=650, dropout=0.5, init_scale=0.05),
        tying.OptimizerConfig(full_epochs=10, decay=0.9, clip_norm=5.0),
        65.0,
    ),
    "large": (
        tying.ModelConfig(hidden_size=1500, dropout=0.65, init_scale=0.04),
        tying.OptimizerConfig(full_epochs=1, decay=0.97, clip_norm=6.0),
        150.0,
    ),
}


def get_config(spec: str = "small-real") -> tying.Config:
    return tying.published_config(spec, SIZES, path="ptb")
