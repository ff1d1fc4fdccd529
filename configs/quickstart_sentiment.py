"""Quickstart of the classifier: texts with planted polarity, vectors of the standard library.

Not a row of the paper's tables. No download.

Command:  python -m train.sentiment --config configs/quickstart_sentiment.py
          --config.vectors=out/quickstart for the codes that configs/quickstart.py has made
Time:     less than a minute on two cores
Result:   a test accuracy of about 0.88
"""

from jaxcompress import classifier


def get_config() -> classifier.Config:
    return classifier.Config(
        batch_size=64,
        num_epochs=4,
        vectors="stdlib",
        embedding="frozen",
        data=classifier.DataConfig(source="planted", max_tokens=100, bucket_width=50),
        model=classifier.ModelConfig(hidden_size=64, pooling="mean", dropout=0.1),
        optimizer=classifier.OptimizerConfig(learning_rate=1e-2, clip_norm=5.0),
    )
