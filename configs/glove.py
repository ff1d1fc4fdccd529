"""GloVe 6B, 400,000 x 300, to 32 x 16 codes (16 bytes a word), with our schedule.

Paper: Shu & Nakayama 2018, section 4: mean L2 of 32 x 16 codes.
Command:  python -m train.dccl --config configs/glove.py --workdir out/glove
Any other table: --config.data.path=FILE
"""

from jaxcompress import dccl


def get_config() -> dccl.Config:
    return dccl.Config(data=dccl.DataConfig(path="glove.6B.300d.txt"))
