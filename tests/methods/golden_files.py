"""Reading tests/golden: numbers that the published programs gave, and the recipes that remake their large inputs."""

import re
from functools import cache
from math import ceil
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@cache
def load(name: str) -> dict[str, np.ndarray]:
    """The arrays of tests/golden/NAME.npz."""
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def recipe_weights(keys, shapes, seeds, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """A state dict of normal draws rounded to float32, one seed a key; shapes are texts like '64x3x7x7'."""
    state = {}
    for key, text, seed in zip(map(str, keys), map(str, shapes), seeds, strict=True):
        shape = tuple(int(side) for side in re.findall(r"\d+", text))
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(0)
            continue
        if key.endswith(("running_mean", "running_var")):
            values = np.full(shape, float(key.endswith("running_var")))
        else:
            values = np.random.RandomState(int(seed)).standard_normal(size=shape)
            if len(shape) == 4:
                values = values * np.sqrt(2 / np.prod(shape[1:]))
            elif len(shape) == 2:
                values = values * np.sqrt(1 / shape[1])
            else:
                values = values * 0.1 + float(key.endswith("weight"))
        state[key] = torch.from_numpy(values.astype(np.float32)).to(dtype)
    return state


def recipe_images(blocks, mean, std, dtype: torch.dtype = torch.float64) -> Tensor:
    """uint8 blocks [B, 3, s, s] -> normalised images [B, 3, 8s, 8s], every entry repeated 8x8 times."""
    pixels = blocks.repeat(8, axis=2).repeat(8, axis=3).astype(np.float64) / 255
    images = (pixels - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    return torch.from_numpy(images).to(dtype)


def subsample(tensor: Tensor) -> np.ndarray:
    """The entries that a golden file keeps of a gradient or parameter: all up to 2000, else every ceil(n/1000)-th."""
    flat = tensor.detach().flatten().cpu().numpy()
    return flat if flat.size <= 2000 else flat[:: ceil(flat.size / 1000)]
