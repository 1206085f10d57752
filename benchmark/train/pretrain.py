"""Start weights without expression labels (`--weights landmarks`): a backbone that has learned where a face is.

The backbone regresses the shape of the 68 (or 19) landmarks, after position, size and rotation are taken out, from
the data set's own training images and their mirror images; at demo scale from images that the demo does not train on,
where there are enough. Expression labels are never read. The stand-in for face weights where none can be had.
"""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmark import plugins
from benchmark.cache import decoded
from benchmark.cache.resized import load_resized
from benchmark.datasets.points import mirror_points
from benchmark.scale import PRETRAINING_VERSION, SCALES, SUBSET_SEED, Scale
from benchmark.train.assembly import PRECISION
from benchmark.train.augment import augment_images, mirror_images
from benchmark.train.device import exact_arithmetic, iterate_batches, place_pixels
from methods.support.recipe import Augment, OneCycle
from results.files import write_bytes
from results.job import stream_seed

COMPONENTS = 24
AUGMENT = Augment(erase=0.25)


def shape_targets(points: np.ndarray, components: int = COMPONENTS) -> np.ndarray:
    """Whitened principal components of aligned shapes.

    points: [n, P, 2]. Each shape is moved, scaled and rotated onto the mean shape (one Procrustes pass), what is left
    is projected onto its largest principal components and divided by their standard deviations. Returns [n, k] float32.
    """
    z = points[..., 0] + 1j * points[..., 1]
    z = z - z.mean(1, keepdims=True)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    mean = z.mean(0) / np.linalg.norm(z.mean(0))
    rotation = (z * mean.conj()).sum(1)
    z = z * (rotation.conj() / np.abs(rotation))[:, None]
    residuals = np.concatenate([z.real, z.imag], 1)
    residuals = residuals - residuals.mean(0)
    u, s, _ = np.linalg.svd(residuals, full_matrices=False)
    kept_components = min(components, len(s) - 4)
    return (u[:, :kept_components] * np.sqrt(len(residuals))).astype(np.float32)


def training_rows(data: decoded.Data, scale: Scale) -> np.ndarray:
    """Rows with usable landmarks; where the scale holds its own images out, without those, if enough others are there."""
    usable = np.isfinite(np.asarray(data.train.landmarks)).all((1, 2))
    rows = np.flatnonzero(usable)
    rows = np.random.Generator(np.random.PCG64(PRETRAINING_VERSION)).permutation(rows)
    least_others = scale.pretraining["held_out"]
    if least_others is not None:
        other_rows = rows[~np.isin(rows, scale.train_rows(np.asarray(data.train.labels), len(data.classes)))]
        rows = other_rows if len(other_rows) >= least_others else rows
    return np.sort(rows[: scale.pretraining["images"]])


def pretrain_backbone(
    folder: str,
    path: str,
    backbone: str,
    scale: str,
    device: str,
    precision: str,
    subset: int = SUBSET_SEED,
    methods_path: Sequence[str] = (),
) -> None:
    """Train and write start weights to `path`: {'state_dict': ..., 'made_from': ...}; raises ValueError where they diverge."""
    if Path(path).exists():
        return
    data = decoded.open_decoded(Path(folder))
    size = replace(SCALES[scale], subset=subset)
    settings = size.pretraining
    rows = training_rows(data, size)
    points = np.asarray(data.train.landmarks)[rows]
    targets = torch.from_numpy(shape_targets(np.concatenate([points, mirror_points(points)]))).to(device)
    images = place_pixels(load_resized(data, "train", rows, size), targets.device)
    seed = stream_seed("pretraining", data.fingerprint, backbone)
    torch.manual_seed(seed)
    exact_arithmetic()
    network = plugins.make_backbone(backbone, size.channels, size.side, methods_path)
    network.precision = PRECISION[precision]
    model = nn.ModuleList([network, nn.Linear(network.width, targets.shape[1])])
    model.to(device, memory_format=torch.channels_last)
    unexplained_share = train_regression(model, images, targets, size.side, settings, seed)
    if not np.isfinite(unexplained_share):
        fix_hint = "start from --weights random, imagenet or a file"
        raise ValueError(f"pretraining {backbone} on landmarks diverges; {fix_hint}")
    made_from = {**settings, "images": len(rows), "unexplained": unexplained_share, "fingerprint": data.fingerprint}
    content = io.BytesIO()
    torch.save({"state_dict": network.published().state_dict(), "made_from": made_from}, content)
    write_bytes(Path(path), content.getvalue())


def train_regression(
    model: nn.ModuleList, images: Tensor, targets: Tensor, side: int, settings: dict[str, Any], seed: int
) -> float:
    """Train [backbone, linear layer] on images [n, S, S, ch] and on their mirror images; targets: [2 n, k].

    Returns the share of the targets' variance that the last epoch left unexplained.
    """
    face_count = len(targets)
    n = len(images)
    device = targets.device
    batch_size = min(settings["batch"], face_count)
    step_count = face_count // batch_size
    unexplained_share = 1.0
    epochs = min(settings["epochs"], max(1, round(settings["views"] / face_count)))
    optimiser = torch.optim.Adam(model.parameters(), settings["rate"], fused=True)
    generator = torch.Generator(device).manual_seed(seed)
    for epoch in range(epochs):
        order = torch.randperm(face_count, generator=torch.Generator().manual_seed(stream_seed(seed, epoch)))
        order = order[: step_count * batch_size]
        batches = zip(order.to(device).split(batch_size), iterate_batches(images, order % n, batch_size, device))
        loss_sum = torch.zeros((), device=device)
        for step, (index, (rows, pixels)) in enumerate(batches):
            rate_factor = OneCycle().at(epoch * step_count + step, step_count, epochs)
            optimiser.param_groups[0]["lr"] = settings["rate"] * rate_factor
            faces = mirror_images(images[rows] if pixels is None else pixels, index >= n)
            view_images = augment_images(faces, AUGMENT, side, generator, None, model[0].channels).images
            predicted = model[1](model[0](view_images.contiguous(memory_format=torch.channels_last)))
            loss = nn.functional.mse_loss(predicted, targets[index])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            loss_sum += loss.detach()
        unexplained_share = float(loss_sum) / step_count
        progress_text = f"epoch {epoch + 1}/{epochs}, unexplained shape variance {unexplained_share:.3f}"
        print(f"pretraining on landmarks: {progress_text}", flush=True)
    return unexplained_share
