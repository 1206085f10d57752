"""Other weights of a network than those that learn: a teacher, a former state, an average that predicts."""

from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import Tensor, nn


class Frozen(nn.Module):
    """A copy of a network that learns nothing and stays in evaluation mode; checkpoints hold it as they hold modules."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = deepcopy(network).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Frozen":
        """Evaluation mode, whatever is asked."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)

    @torch.no_grad()
    def follow(self, network: nn.Module, momentum: float) -> None:
        """w <- momentum w + (1 - momentum) of the network's; running statistics are copied."""
        for frozen_tensor, network_tensor in zip(self.network.parameters(), network.parameters(), strict=True):
            frozen_tensor.lerp_(network_tensor, 1 - momentum)
        for frozen_tensor, network_tensor in zip(self.network.buffers(), network.buffers(), strict=True):
            frozen_tensor.copy_(network_tensor)

    @torch.no_grad()
    def average(self, networks: Iterable["Frozen"]) -> None:
        """The mean of other networks' weights and running statistics; counts as the first one has them."""
        states = [frozen.network.state_dict() for frozen in networks]
        for name, frozen_tensor in self.network.state_dict().items():
            network_tensors = [state[name] for state in states]
            frozen_tensor.copy_(
                torch.stack(network_tensors).mean(0) if frozen_tensor.is_floating_point() else network_tensors[0]
            )
