"""AG News topics from CSV files of text,label: any CSV files of one's own are named the same way.

Command:  python -m train.sentiment --config configs/ag_news.py --config.vectors=PATH
          --config.data.test=ag_news/test.csv for the official test texts, title and description
Data:     ag_news/small_train.csv, small_dev.csv, small_test.csv; small_dev.csv is a part of
          small_train.csv, which is not trained on: 4,000, 1,000 and 1,000 texts
"""

from jaxcompress import classifier


def get_config() -> classifier.Config:
    return classifier.Config(
        num_epochs=10,
        data=classifier.DataConfig(
            source="ag_news/small_train.csv",
            valid="ag_news/small_dev.csv",
            test="ag_news/small_test.csv",
            max_tokens=100,
            bucket_width=25,
        ),
    )
