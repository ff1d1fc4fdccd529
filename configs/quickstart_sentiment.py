"""Quickstart of the classifier: texts with planted polarity, vectors of the standard library.

Not a row of the paper's tables. No download.
Command:  python -m train.sentiment --config configs/quickstart_sentiment.py
          --config.vectors=out/quickstart for the codes that configs/quickstart.py has made
Expected: a test accuracy of about 0.88 in less than a minute on two cores
"""

from jaxcompress import classifier


def get_config() -> classifier.Config:
    return classifier.Config(
        num_epochs=4,
        vectors="stdlib",
        data=classifier.DataConfig(source="planted", max_tokens=100),
        model=classifier.ModelConfig(hidden_size=64, dropout=0.1),
        optimizer=classifier.OptimizerConfig(learning_rate=1e-2),
    )
