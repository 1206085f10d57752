"""Forward correction: predictions go through an estimated matrix of label errors before they meet the given labels.

Patrini et al., CVPR 2017 (theorem 2). Published as two trainings, one to estimate the matrix and one to use it; here
the same network goes on. The paper has no recipe for expressions, so the baseline's holds.
"""

from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.base import Batch, Curve, Run, scaled, within
from methods.baseline import Baseline

SMALLEST = 1e-7  # bound of a corrected probability, of the published program


def estimate_transition(predictions: Tensor, percentile: float) -> Tensor:
    """T [C, C]: row k is the prediction of the image that is surest of class k, with a sum of 1.

    predictions: [N, C] probabilities. percentile: only images below this percentile of p_k count; 100: all do.
    """
    candidate_predictions = predictions
    if percentile < 100:
        percentile_row = ceil(percentile / 100 * (len(predictions) - 1))
        candidate_predictions = predictions.masked_fill(predictions >= predictions.sort(0).values[percentile_row], -1)
    surest_predictions = predictions[candidate_predictions.argmax(0)]
    return surest_predictions / surest_predictions.sum(1, keepdim=True)


def parse_transition(text: str) -> Tensor:
    """'0.9,0.1;0.2,0.8' as a [C, C] matrix; raises ValueError."""
    try:
        matrix = torch.tensor([[float(cell) for cell in row.split(",")] for row in text.split(";")])
    except ValueError:
        raise ValueError(f"forward.transition: {text!r}, expected 'estimated' or rows as 0.9,0.1;0.2,0.8") from None
    if matrix.shape[0] != matrix.shape[1] or (matrix < 0).any() or ((matrix.sum(1) - 1).abs() > 1e-3).any():
        raise ValueError(f"forward.transition: {text!r} is no square matrix of shares whose rows sum to 1")
    return matrix


class ForwardCorrection(Baseline):
    name = "forward"
    title = "Forward"
    version = 2  # the matrix is estimated later, from the surest images
    source = "Patrini et al., Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach, CVPR 2017"
    mechanism = (
        Curve(
            "kept by the matrix",
            "Labels that its matrix holds for right (%)",
            (0.99, 1),
            "its matrix corrected nothing",
        ),
    )

    @dataclass(frozen=True)
    class Parameters:
        """estimate_epoch is ours, half of the run: the paper trains to the end, estimates, and starts anew."""

        estimate_epoch: int = scaled(30, "epoch")  # cross-entropy up to its end, corrected from then on
        percentile: float = (
            100.0  # below 100 the surest images do not count; 97 loses classes of under 3 % of the images
        )
        transition: str = "estimated"  # or a known matrix, T_kj = P(given j | true k), as 0.9,0.1;0.2,0.8

        def __post_init__(self) -> None:
            within("forward.estimate_epoch", self.estimate_epoch, 1)
            within("forward.percentile", self.percentile, 0, 100)
            if self.transition != "estimated":
                parse_transition(self.transition)

    def check(self, run: Run) -> None:
        transition_text = self.settings.transition
        if transition_text != "estimated" and len(parse_transition(transition_text)) != run.classes:
            raise ValueError(
                f"forward.transition: {len(parse_transition(transition_text))} rows, but there are {run.classes} classes"
            )

    def begin(self, labels: Tensor, run: Run) -> None:
        super().begin(labels, run)
        transition_text = self.settings.transition
        start_matrix = torch.eye(run.classes) if transition_text == "estimated" else parse_transition(transition_text)
        self.register_buffer("transition", start_matrix.to(labels.device))
        self.register_buffer("predictions", torch.zeros(run.images, run.classes, device=labels.device))

    def captured_anew(self, epoch: int) -> Any:
        return self.settings.transition == "estimated" and epoch <= self.settings.estimate_epoch

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        logits = self.logits(batch.images)
        p = self.settings
        if p.transition == "estimated" and batch.epoch <= p.estimate_epoch:
            self.predictions[batch.index] = logits.detach().softmax(1)
            return {"forward": F.cross_entropy(logits, batch.labels)}, logits
        label_probability = (logits.softmax(1) @ self.transition).gather(1, batch.labels[:, None])
        return {"forward": -label_probability.clamp_min(SMALLEST).log().mean()}, logits

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        if self.settings.transition == "estimated" and epoch == self.settings.estimate_epoch:
            seen_predictions = self.predictions[self.predictions.sum(1) > 0]  # an incomplete last batch may be left out
            self.transition.copy_(estimate_transition(seen_predictions, self.settings.percentile))
        return {"kept by the matrix": self.transition.diagonal().mean()}
