"""Devices that are not there, by name, and how fast and large such chips are.

`v5e:4x4` is a slice of a TPU pod, which needs the wheel libtpu; `h100:1x1x8` is hosts x ... of
NVIDIA H100, which need the wheels jax-cuda12-plugin and jax-cuda12-pjrt and no driver. Both are in
the extra `aot`.
"""

import os
from typing import NamedTuple

import jax
from jax.experimental import topologies

from jaxcompress.errors import InputError

from .flops import DEFAULT, EXACT


class Chip(NamedTuple):
    """Peaks of a chip, as its maker gives them.

    Attributes:
        flops: operations a second, of products that are exact to float32 and of the others: on a
            TPU in bfloat16, of which six make an exact one; on a GPU in TF32.
        bandwidth: bytes a second of its memory.
        memory: bytes.
        clock: hertz, by which libtpu's cycles become seconds; 0: there are no cycles.
    """

    flops: dict[str, float]
    bandwidth: float
    memory: float
    clock: float = 0.0


CHIPS = {
    "v5e": Chip({DEFAULT: 197e12, EXACT: 197e12 / 6}, 0.819e12, 16e9, 1.5e9),
    "v5p": Chip({DEFAULT: 459e12, EXACT: 459e12 / 6}, 2.765e12, 95e9, 1.75e9),
    "h100": Chip({DEFAULT: 494e12, EXACT: 67e12}, 3.352e12, 80e9),
}
_WITHOUT_TPU = {
    "TPU_SKIP_MDS_QUERY": "1",  # there is no server of metadata
    "TPU_ACCELERATOR_TYPE": "v5litepod-8",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_LOG_DIR": "disabled",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # else a second process fails at a lock
    "JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1",
}
_H100 = """
gpu_device_info {
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: 233472
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: 84978434048
  shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 minor: 0 }
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 8 patch: 0 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


def set_environment() -> None:
    """Lets libtpu and the plugin for CUDA be loaded where there is no device; before either is."""
    for name, value in _WITHOUT_TPU.items():
        os.environ.setdefault(name, value)
    jax.config.update("jax_platforms", "cpu")
    # What was compiled for devices that are not there cannot be read back.
    jax.config.update("jax_enable_compilation_cache", False)


def chip_of(name: str) -> Chip:
    """Gives the peaks of the chips of a topology.

    Raises:
        InputError: if there is no such chip.
    """
    kind = name.partition(":")[0]
    if kind not in CHIPS:
        raise InputError(f"topology {name!r}: no chip {kind!r}; there are {', '.join(CHIPS)}.")
    return CHIPS[kind]


def find_chip(device_kind: str) -> Chip | None:
    """Gives the peaks of a device that is there; None if they are not known."""
    kinds = {"H100": "h100", "v5 lite": "v5e", "v5p": "v5p", "TPU v5": "v5p"}
    return next((CHIPS[chip] for kind, chip in kinds.items() if kind in device_kind), None)


def find_devices(name: str) -> list[jax.Device]:
    """Gives the devices of a topology, to compile for.

    Raises:
        InputError: if there is no such topology, or what compiles for it is not installed.
    """
    chip_of(name)
    set_environment()
    kind, _, layout = name.partition(":")
    options: dict = {"platform": "tpu", "topology_name": name}
    if kind == "h100":
        options = {"platform": "cuda", "topology_name": kind, "topology": layout}
        options["target_config"] = _H100
    elif set(layout.split("x")) == {"1"}:
        options["chips_per_host_bounds"] = (1, 1, 1)
    try:
        return list(topologies.get_topology_desc(**options).devices)
    except (RuntimeError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f'topology {name!r}: {reason}; the extra "aot" has what compiles for it.'
        ) from error
