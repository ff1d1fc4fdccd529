"""Amazon reviews: the methods of Liang et al., ICLR 2021, and what they are judged against.

Command:  python -m train.ant --config configs/amazon.py:METHOD
          METHOD: mf, mixdim, ant, nbant, sparse, pruned, ncf, ncf-ant; ant-paper and nbant-paper
          with the settings of the reference
          --config.penalty.num_parameters=50000: another size
          --config.data.min_count=5: the 5-core
Data:     amazon/*.csv, one category or several, without a header: item,user,rating,timestamp
"""

from jaxcompress import ant


def get_config(method: str = "ant") -> ant.Config:
    return ant.published_config(
        method,
        num_parameters=100_000,
        data=ant.DataConfig(path="amazon", columns=("item", "user", "rating", "timestamp")),
    )
