"""MovieLens 25M: the methods of Liang et al., ICLR 2021, and what they are judged against.

Command:  python -m train.ant --config configs/movielens_25m.py:METHOD
          METHOD: mf, mixdim, ant, nbant, sparse, pruned, ncf, ncf-ant; ant-paper and nbant-paper
          with the settings of the authors' code (jaxcompress/ant/published.py has them all)
          --config.penalty.num_parameters=200000: another size
Data:     ml-25m/ratings.csv
Time:     not measured
Result:   not measured
"""

from jaxcompress import ant


def get_config(method: str = "ant") -> ant.Config:
    return ant.published_config(
        method,
        num_parameters=400_000,
        data=ant.DataConfig(path="ml-25m"),
    )
