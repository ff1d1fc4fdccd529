"""XLA flags by which programs compile in a fraction of the time, and run slower.

`python tests/quick_compiler.py` prints them. Most of the time of tests is the compiler's, and what
it makes runs for a moment.
"""

import importlib.metadata

_FLAGS = ("--xla_backend_optimization_level=0", "--xla_cpu_parallel_codegen_split_count=1")
_OLDER = "--xla_cpu_use_fusion_emitters=false"  # an unknown flag ends the process


def flags() -> str:
    """Lists the flags that the installed jaxlib knows."""
    major, minor = importlib.metadata.version("jaxlib").split(".")[:2]
    return " ".join([*_FLAGS, *[_OLDER] * ((int(major), int(minor)) < (0, 11))])


if __name__ == "__main__":
    print(flags())
