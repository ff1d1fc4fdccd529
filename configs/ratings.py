"""Ratings of any file or folder: what depends on the data is derived from it or chosen by it.

Command:  python -m train.ant --config configs/ratings.py:METHOD --config.data.path=FILE
          METHOD: mf, mixdim, ant, nbant, sparse, pruned, ncf, ncf-ant
          --config.penalty.share=0.5: methods that prune keep half of a dense table, not a quarter
          --config.data.columns=user,item,rating: the columns of a file without a header
Data:     FILE, see docs/data.md
Time:     five times that of a run, or a little more: L2 and the number of anchors are chosen on
          validation ratings, each value by a whole run
Result:   beside the constant, item means and biases; it is biases alone if tables are not better
"""

from jaxcompress import ant


def get_config(method: str = "ant") -> ant.Config:
    return ant.published_config(method, share=0.25, data=ant.DataConfig(path="ratings.csv"))
