"""MovieLens 25M: the methods of Liang et al., ICLR 2021, and what they are judged against.

Command:  python -m train.ant --config configs/movielens_25m.py:METHOD
          METHOD: mf, mixdim, ant, nbant, sparse, pruned, ncf, ncf-ant; ant-paper and nbant-paper
          with the settings of the authors' code (jaxcompress/ant/published.py has them all)
          --config.penalty.share=0.25: methods that prune keep a quarter of a dense table, not an
          eighth
Data:     ml-25m/ratings.csv
Time:     not measured; as of configs/ratings.py, L2 and the number of anchors are chosen by whole
          runs. A step takes 16,384 ratings, which a TPU or a GPU passes over hardly slower than
          1,024 (docs/tpu.md)
Result:   not measured
"""

from jaxcompress import ant


def get_config(method: str = "ant") -> ant.Config:
    return ant.published_config(method, share=0.125, data=ant.DataConfig(path="ml-25m"))
