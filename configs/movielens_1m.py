"""MovieLens 1M: the methods of Liang et al., ICLR 2021, and what they are judged against.

Command:  python -m train.ant --config configs/movielens_1m.py:METHOD
          METHOD: mf, mixdim, ant, nbant, sparse, pruned, ncf, ncf-ant; ant-paper and nbant-paper
          with the settings of the authors' code (jaxcompress/ant/published.py has them all)
          --config.penalty.num_parameters=20000: another size
Data:     ml-1m/ratings.dat
Time:     about two minutes on two cores
Result:   without biases (--config.model.biases=false), a test MSE of 0.739 for ant with 39,967
          parameters, 0.754 for a dense table of as many (three seeds); 0.823 for biases alone
"""

from jaxcompress import ant


def get_config(method: str = "ant") -> ant.Config:
    return ant.published_config(
        method,
        num_parameters=40_000,
        data=ant.DataConfig(path="ml-1m"),
    )
