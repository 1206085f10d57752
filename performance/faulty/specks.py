"""Forty tiny images of noise, for matrices whose training is not the point."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmark.datasets.base import DataSet, Rows, Source
from noise.expressions import SEVEN


class Specks(DataSet):
    name, title = "specks", "Specks"
    size, channels, needs_path = 16, 1, False

    def read(self, path: Path | None, options: Any) -> Source:
        return Source(SEVEN, make_rows("train"), make_rows("test"), identity="specks 1")

    def stamp(self, path: Path | None, options: Any) -> list[tuple[str, int, int]]:
        return []


def make_rows(split: str) -> Rows:
    pixels = np.random.Generator(np.random.PCG64(len(split))).integers(0, 256, (40, 16, 16), np.uint8)
    return Rows([f"{split} {i:02}" for i in range(40)], np.arange(40) % 7, lambda row: pixels[row])
