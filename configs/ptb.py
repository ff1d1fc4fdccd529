"""Penn Treebank: the rows of Table 1 of Inan, Khosravi & Socher.

Paper:    Inan, Khosravi & Socher, ICLR 2017, arXiv 1611.01462, sections 5 and 6
Command:  python -m train.tying --config configs/ptb.py:SIZE-VARIANT
          SIZE: small (200 units), medium (650), large (1,500); VARIANT: baseline, al, re, real
Data:     ptb/ptb.{train,valid,test}.txt: jaxcompress download ptb
Time:     about an hour on two cores for 14 epochs of small models
Result:   perplexity, validation / test, after the first epochs of 60; no full run has been made yet

            baseline              al                    re                    real
  small     130.5 / 126.9         162.8 / 159.1         145.2 / 141.6         171.3 / 167.3
            after 4 epochs        after 2               after 3               after 2

          and of the paper, in the end:

            baseline (VD-LSTM)    al                    re                    real
  small     92.6 / 87.3           86.3 / 82.9           89.9 / 85.1           86.3 / 82.7
  medium    82.0 / 77.7           77.4 / 74.7           77.1 / 73.9           75.7 / 73.2
  large     76.8 / 72.6           74.5 / 71.2           72.5 / 69.0           71.1 / 68.5
"""

from jaxcompress import tying

SIZES = {  # model, optimizer, epochs
    "small": (
        tying.ModelConfig(
            hidden_size=200, dropout=0.3, init_scale=0.1, gamma=0.65, temperature=20.0
        ),
        tying.OptimizerConfig(learning_rate=1.0, full_epochs=5, decay=0.9, clip_norm=5.0),
        60.0,
    ),
    "medium": (
        tying.ModelConfig(
            hidden_size=650, dropout=0.5, init_scale=0.05, gamma=0.65, temperature=20.0
        ),
        tying.OptimizerConfig(learning_rate=1.0, full_epochs=10, decay=0.9, clip_norm=5.0),
        65.0,
    ),
    "large": (
        tying.ModelConfig(
            hidden_size=1500, dropout=0.65, init_scale=0.04, gamma=0.65, temperature=20.0
        ),
        tying.OptimizerConfig(learning_rate=1.0, full_epochs=1, decay=0.97, clip_norm=6.0),
        150.0,
    ),
}


def get_config(spec: str = "small-real") -> tying.Config:
    return tying.published_config(spec, SIZES, path="ptb", batch_size=20, unroll=35)
