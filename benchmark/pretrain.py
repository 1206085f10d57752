"""Start weights without expression labels (`--weights landmarks`): a backbone that has learned where a face is.

The backbone regresses the shape of the 68 (or 19) landmarks, after position, size and rotation are taken out, from
the data set's own training images; at demo scale from training images that the demo does not train on. Expression
labels are never read. The stand-in for face weights where none can be had.
"""

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmark import cache, scale
from benchmark.augment import augment
from benchmark.job import stream
from benchmark.labels import demo_pixels
from methods.backbones import BACKBONES
from methods.base import Augment, OneCycle

COMPONENTS = 24
AUGMENT = Augment(erase=0.25)
DEMO = {"images": 24_000, "epochs": 4, "batch": 64, "rate": 4e-3}
PAPER = {"images": 300_000, "epochs": 10, "batch": 128, "rate": 1e-3}


def shape_targets(points: np.ndarray, components: int = COMPONENTS) -> np.ndarray:
    """Whitened principal components of aligned shapes.

    points: [n, P, 2]. Each shape is moved, scaled and rotated onto the mean shape (one Procrustes pass), what is left
    is projected onto its largest principal components and divided by their standard deviations. Returns [n, k] float32.
    """
    z = points[..., 0] + 1j * points[..., 1]
    z = z - z.mean(1, keepdims=True)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    mean = z.mean(0) / np.linalg.norm(z.mean(0))
    turn = (z * mean.conj()).sum(1)
    z = z * (turn.conj() / np.abs(turn))[:, None]
    left = np.concatenate([z.real, z.imag], 1)
    left = left - left.mean(0)
    u, s, _ = np.linalg.svd(left, full_matrices=False)
    k = min(components, len(s) - 4)
    return (u[:, :k] * np.sqrt(len(left))).astype(np.float32)


def training_rows(data: cache.Data, demo: bool, most: int) -> np.ndarray:
    """Rows with usable landmarks; at demo scale the demo's own images come last, so that they are used only if need be."""
    usable = np.isfinite(np.asarray(data.train.landmarks)).all((1, 2))
    rows = np.flatnonzero(usable)
    rows = np.random.Generator(np.random.PCG64(scale.PRETRAINING_VERSION)).permutation(rows)
    if demo:
        own = scale.subset(np.asarray(data.train.labels), len(data.classes), scale.TRAIN_IMAGES, scale.TRAIN_FLOOR)
        others = rows[~np.isin(rows, own)]
        rows = others if len(others) >= scale.TRAIN_IMAGES else rows
    return np.sort(rows[:most])


def pretrain(folder: str, path: str, backbone: str, demo: bool, device: str, precision: str) -> None:
    """Train and write start weights to `path`: {'state_dict': ..., 'made_from': ...}."""
    if Path(path).exists():
        return
    data = cache.open_folder(Path(folder))
    settings = DEMO if demo else PAPER
    rows = training_rows(data, demo, settings["images"])
    targets = torch.from_numpy(shape_targets(np.asarray(data.train.landmarks)[rows])).to(device)
    pixels = np.ascontiguousarray(data.train.images[rows])
    images = torch.from_numpy(demo_pixels(pixels) if demo else pixels).to(device)
    seed = stream("pretraining", data.fingerprint, backbone)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    channels = 1 if demo else 3
    network = BACKBONES[backbone](channels)
    network.precision = {"fp32": None, "bf16": torch.bfloat16}[precision]
    model = nn.ModuleList([network, nn.Linear(network.width, targets.shape[1])])
    model.to(device, memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(model.parameters(), settings["rate"], fused=True)
    generator = torch.Generator(device).manual_seed(seed)
    side = scale.SIDE["demo" if demo else "paper"]
    steps, epochs, error = len(rows) // settings["batch"], settings["epochs"], 0.0
    for epoch in range(epochs):
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(stream(seed, epoch))).to(device)
        total = torch.zeros((), device=device)
        for step in range(steps):
            index = order[step * settings["batch"] : (step + 1) * settings["batch"]]
            optimiser.param_groups[0]["lr"] = settings["rate"] * OneCycle().at(epoch * steps + step, steps, epochs)
            seen = augment(images[index], AUGMENT, side, generator, None, channels).images
            predicted = model[1](model[0](seen.contiguous(memory_format=torch.channels_last)))
            loss = nn.functional.mse_loss(predicted, targets[index])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.detach()
        error = float(total) / max(steps, 1)
        print(
            f"pretraining on landmarks: epoch {epoch + 1}/{epochs}, unexplained shape variance {error:.3f}", flush=True
        )
    aside = Path(f"{path}.{os.getpid()}")
    aside.parent.mkdir(parents=True, exist_ok=True)
    made_from = {"images": len(rows), "epochs": epochs, "unexplained": error, "fingerprint": data.fingerprint}
    torch.save({"state_dict": network.state_dict(), "made_from": made_from}, aside)
    os.replace(aside, path)
