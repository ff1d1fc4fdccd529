"""WikiText-2: the rows that a later version of the paper adds to Table 1.

Paper:    Inan, Khosravi & Socher, arXiv 1611.01462, a version after that of ICLR 2017
Command:  python -m train.tying --config configs/wikitext2.py:SIZE-VARIANT
          SIZE: small (200 units), medium (650); VARIANT: baseline, al, re, real
Data:     wikitext-2/wiki.{train,valid,test}.tokens: jaxcompress download wikitext-2
Time:     not measured
Result:   no run has been made yet; perplexity of the paper, validation / test (those of the
          baseline are quoted from memory):

            baseline (VD-LSTM)   al              re              real
  small     112.2 / 105.9        110.3 / 103.8   106.1 / 100.5   105.6 / 98.9
  medium    100.2 / 95.3         98.8 / 93.1     92.3 / 87.7     91.5 / 87.0
"""

from jaxcompress import tying

SIZES = {  # model, optimizer, epochs
    "small": (
        tying.ModelConfig(
            hidden_size=200, dropout=0.2, init_scale=0.1, gamma=1.0, temperature=20.0
        ),
        tying.OptimizerConfig(learning_rate=1.0, full_epochs=5, decay=0.9, clip_norm=5.0),
        60.0,
    ),
    "medium": (
        tying.ModelConfig(
            hidden_size=650, dropout=0.4, init_scale=0.05, gamma=1.0, temperature=20.0
        ),
        tying.OptimizerConfig(learning_rate=1.0, full_epochs=10, decay=0.9, clip_norm=5.0),
        65.0,
    ),
}


def get_config(spec: str = "small-real") -> tying.Config:
    return tying.published_config(spec, SIZES, path="wikitext-2", batch_size=20, unroll=35)
