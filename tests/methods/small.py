"""A small method on a small network with twelve images, and numpy's own softmax, for tests of equations."""

import numpy as np
import torch
from torch import Tensor

from benchmark import plugins
from methods.base import Batch, Method, Run
from methods.support.backbones import ResNet10

CLASSES, IMAGES = 8, 12
ROWS, LABELS = np.arange(IMAGES), np.arange(IMAGES) % CLASSES


def made(name: str, **parameters: float | str) -> Method:
    cls = plugins.find_methods()[name]
    torch.manual_seed(0)
    method = cls(cls.Parameters(**parameters))
    others = [ResNet10(1) for _ in range(cls.networks - 1)]
    method.build(ResNet10(1), CLASSES, *others)
    labels = torch.arange(IMAGES) % CLASSES
    method.begin(labels, Run(CLASSES, IMAGES, 60, 1, IMAGES, 16, True, 0))
    return method.train()


def batch(epoch: int = 1, seed: int = 1) -> Batch:
    images = torch.randn(IMAGES, 1, 16, 16, generator=torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(5)
    return Batch(images, torch.arange(IMAGES) % CLASSES, torch.arange(IMAGES), epoch, generator)


def softmax(logits: Tensor) -> np.ndarray:
    x = logits.detach().double().numpy()
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def total(losses: dict[str, Tensor]) -> float:
    return float(sum(losses.values()).detach())
