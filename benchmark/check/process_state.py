"""What a process holds for all that runs in it: a file of one's own must leave it as it is, for others run beside it."""

import gc
import os
import sys
import warnings
from typing import Any

import numpy as np
import torch

from benchmark.check.contract import global_generators

# Environment variables that change numbers, or which GPU is used; libraries set others where they are imported.
NUMBERS = ("CUDA", "CUBLAS", "CUDNN", "NVIDIA", "TORCH_", "PYTORCH", "OMP_", "MKL_", "OPENBLAS_", "PYTHON", "NUMEXPR_")
SEEDS = "the seed or state of a global generator of random numbers"

State = dict[str, Any]


def read_settings() -> State:
    """{what it is: value} of the settings of this process, random numbers apart."""
    cudnn = torch.backends.cudnn
    settings: State = {
        "torch's number of threads": torch.get_num_threads(),
        "torch's number of threads between operations": torch.get_num_interop_threads(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's default device": torch.get_default_device(),
        "torch's deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "torch's precision of float32 products": torch.get_float32_matmul_precision(),
        "torch's gradients": torch.is_grad_enabled(),
        "torch's anomaly detection": torch.is_anomaly_enabled(),
        "torch's handling of subnormal numbers": float(torch.tensor(2.0**-140) * 0.5),
        "cuDNN's settings": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
        "numpy's handling of errors": np.geterr(),
        "the working directory": os.getcwd(),
        "the garbage collector": gc.isenabled(),
        "the recursion limit": sys.getrecursionlimit(),
        "the filters of warnings": list(warnings.filters),
    }
    return settings | {f"the environment variable {name}": value for name, value in os.environ.items()}


def read_seeds() -> State:
    """The seeds and states of the global generators."""
    torch_state = (torch.initial_seed(), torch.random.get_rng_state().numpy().tobytes())
    return {SEEDS: (global_generators(), torch_state)}


def list_changes(before: State, after: State) -> tuple[list[str], list[str]]:
    """What was changed: what may change numbers, and what does not by itself or is of libraries."""
    changed_names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    harmless_names = [name for name in changed_names if is_harmless(name)]
    return [name for name in changed_names if name not in harmless_names], harmless_names


def is_harmless(name: str) -> bool:
    variable = name.removeprefix("the environment variable ")
    return name == "the filters of warnings" or (variable != name and not variable.startswith(NUMBERS))
