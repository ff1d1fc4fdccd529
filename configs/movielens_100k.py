"""MovieLens 100k: the methods of Liang et al., ICLR 2021, and what they are judged against.

Command:  python -m train.ant --config configs/movielens_100k.py:METHOD
          METHOD: mf, mixdim, ant, nbant, sparse, pruned, ncf, ncf-ant; ant-paper and nbant-paper
          with the settings of the authors' code (jaxcompress/ant/published.py has them all)
          --config.penalty.num_parameters=5000: another size
          --config.stream.window=10000 --config.penalty.lazy: online, in order of time
Data:     ml-100k/u.data
Time:     about a minute on two cores that were not idle
Result:   without biases (--config.model.biases=false), a test MSE of 0.912 for ant with 10,000
          parameters; 0.886 for mf with 41,441 (one seed); 0.889 for biases alone
"""

from jaxcompress import ant


def get_config(method: str = "ant") -> ant.Config:
    return ant.published_config(
        method,
        num_parameters=10_000,
        data=ant.DataConfig(path="ml-100k"),
    )
