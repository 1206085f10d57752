"""The small networks of the golden runs (Linear, BatchNorm, ReLU, Linear), and how their arrays are compared."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.base import Method, Run

# A bias in front of a batch norm has gradient zero, and Adam makes steps of its rounding.
WANDERING = ("a.bias", "bn.running_mean")


class Small(nn.Module):
    """Stands for a backbone: [B, inputs] to [B, width]."""

    channels, precision = 1, None

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.a, self.bn, self.width = nn.Linear(inputs, width), nn.BatchNorm1d(width), width

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.bn(self.a(images)))


class Nothing(nn.Module):
    """Stands for a backbone whose features are the logits already."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, images: Tensor) -> Tensor:
        return images


def on_logits(method: Method, classes: int, run: Run, labels: Tensor, networks: int = 1) -> Method:
    """A method whose networks give their inputs back as logits."""
    method.build(Nothing(classes), classes, *(Nothing(classes) for _ in range(networks - 1)))
    for module in (method.classifier, *([method.other_classifier] if networks > 1 else [])):
        nn.init.eye_(module.weight)
        nn.init.zeros_(module.bias)
    method.begin(labels, run)
    return method.train()


def close(value: object, golden: np.ndarray, relative: float) -> None:
    """Every entry to `relative` of the largest one."""
    value = value.detach().numpy() if torch.is_tensor(value) else value
    np.testing.assert_allclose(value, golden, rtol=0, atol=relative * max(np.abs(golden).max(), 1e-12))
