"""Pictures of data sets that tests write, and what is read of them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmark.cache.decoded import Data
from benchmark.cache.lookup import open_data
from benchmark.datasets.base import DataSet
from benchmark.datasets.folder import ImageFolder


def random_pixels(seed: int, side: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def encode_pixels(pixels: np.ndarray, kind: str = "PNG", **options: Any) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


def save_pixels(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def open_pictures(path: Path, root: Path, dataset: type[DataSet] = ImageFolder, **options: object) -> Data:
    return open_data(dataset(), path, dataset.Options(**options), root)
