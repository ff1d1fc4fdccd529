"""Amazon reviews: the methods of Liang et al., ICLR 2021, and what they are judged against.

Command:  python -m train.ant --config configs/amazon.py:METHOD
          METHOD: mf, mixdim, ant, nbant, sparse, pruned, ncf, ncf-ant; ant-paper and nbant-paper
          with the settings of the authors' code (jaxcompress/ant/published.py has them all)
          --config.penalty.num_parameters=50000: another size
          --config.data.min_count=5: the 5-core
Data:     amazon/*.csv, one category or several, without a header: item,user,rating,timestamp
Time:     a minute and a half for Magazine_Subscriptions on two cores that were not idle
Result:   without biases (--config.model.biases=false), of these 88,318 ratings, a test MSE of 1.850
          for ant with 99,936 parameters; 1.967 for mf with 987,665; 1.734 for biases alone, 2.011
          for the constant (one seed)
"""

from jaxcompress import ant


def get_config(method: str = "ant") -> ant.Config:
    return ant.published_config(
        method,
        num_parameters=100_000,
        data=ant.DataConfig(path="amazon", columns=("item", "user", "rating", "timestamp")),
    )
