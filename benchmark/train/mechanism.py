"""Curves of a method's mechanism that need the clean labels, which a method never sees: the engine counts them."""

import torch
from torch import Tensor

from benchmark.train.trainer import Trainer
from methods.base import Batch

RELABELLED = ("relabelled_so_far", "relabelled_right")
ESTIMATE = "estimate_keeps_clean"


@torch.no_grad()
def compare_with_clean_labels(trainer: Trainer) -> dict[str, Tensor]:
    """Those of the curves below that the method declares, after an epoch, as scalars on the device.

    relabelled_so_far: share of the images whose label is another than the given one. relabelled_right: share of the
    images whose label is another and now the clean one. estimate_keeps_clean: share of the images whose estimated
    distribution has the clean label first; only where the estimate looks at no images, so that it costs no pass.
    """
    method = trainer.method
    given_labels = trainer.given
    clean_labels = trainer.clean
    declared_names = {curve.name for curve in method.mechanism}
    curves: dict[str, Tensor] = {}
    if declared_names.intersection(RELABELLED):
        relabelled = method.labels != given_labels
        shares = relabelled.float().mean(), (relabelled & (method.labels == clean_labels)).float().mean()
        curves |= {name: share for name, share in zip(RELABELLED, shares, strict=True) if name in declared_names}
    if ESTIMATE in declared_names and not method.opinion_needs_images():
        rows = torch.arange(len(given_labels), device=given_labels.device)
        no_images = torch.empty(len(given_labels), 0, device=given_labels.device)
        method.eval()
        distribution, _ = method.opinion(Batch(images=no_images, labels=given_labels, index=rows))
        method.train()
        curves[ESTIMATE] = (distribution.argmax(1) == clean_labels).float().mean()
    return curves
