"""Quickstart: 5,000 words of the standard library's English x 100, to 32 x 16 codes.

Command:  python -m train.dccl --config configs/quickstart.py
"""

from jaxcompress import dccl


def get_config() -> dccl.Config:
    return dccl.Config(sample_words=("string", "file", "thread", "socket", "integer", "red"))
