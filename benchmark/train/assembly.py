"""A method on its backbone, with start weights and its optimiser: the one place that puts them together."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmark import find
from benchmark.scale import SCALES, steps_per_epoch
from benchmark.source import code
from benchmark.task import Place
from benchmark.train.training_set import TrainingSet
from methods.backbones import BACKBONES
from methods.base import Method, Run
from methods.recipe import SGD, Recipe, rebuild
from methods.weights import load_backbone
from results.job import Job, stream

PRECISION = {"fp32": None, "bf16": torch.bfloat16}


def build(job: Job, resolved: dict[str, Any], place: Place, data: TrainingSet) -> tuple[Method, Recipe, Run]:
    """The method on its backbone, with start weights and the given labels."""
    cls = find.methods(tuple(Path(folder) for folder in place.methods_path))[job.method]
    if cls.version != job.method_version:
        raise ValueError(f"{job.method}: its file was changed to version {cls.version} since this job was planned")
    if cls.needs_landmarks and data.landmarks is None:
        raise ValueError(f"{job.method}: the data set {job.data['name']} has no landmarks; see docs/data.md")
    code(cls)  # of the file as it is imported
    parameters = cls.Parameters(**resolved["parameters"])
    noisy = job.noise["kind"] != "none"
    recipe = cls.adapt(rebuild(resolved["recipe"]), parameters, noisy)
    size = SCALES[job.scale["name"]]
    run = Run(
        classes=len(data.classes),
        images=len(data.given),
        epochs=recipe.epochs,
        steps_per_epoch=steps_per_epoch(len(data.given), recipe.batch_size, recipe.drop_last),
        batch_size=recipe.batch_size,
        image_size=size.side,
        noisy=noisy,
        seed=job.seed,
    )
    torch.manual_seed(stream("initialisation", recipe.backbone, run.classes, job.seed))
    backbone = BACKBONES[recipe.backbone](size.channels)
    backbone.precision = PRECISION[job.precision]
    backbone.map_side = -(-size.side // backbone.strides[3])
    if place.weights:
        loaded = load_backbone(backbone, place.weights)
        if job.weights.startswith("sha256:") and job.weights != f"sha256:{loaded.sha256}":
            raise ValueError(f"{place.weights}: the file was changed since this job was planned; run the command again")
        resolved["weights"]["loaded"] = asdict(loaded)
    method = cls(parameters)
    method.build(backbone, run.classes)
    method.check(run)
    method.to(place.device, memory_format=torch.channels_last)
    method.begin(torch.from_numpy(data.given).to(place.device), run)
    return method.to(place.device), recipe, run


def make_optimiser(method: Method, recipe: Recipe, device: torch.device) -> torch.optim.Optimizer:
    """Two groups: the heads that the method names, at their own rate, and everything else that learns."""
    settings = recipe.optimiser
    heads = {id(p) for module in method.heads() for p in module.parameters()}
    learning = [p for p in method.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learning if id(p) not in heads], "lr": settings.lr},
        {"params": [p for p in learning if id(p) in heads], "lr": settings.head_lr or settings.lr},
    ]
    groups = [group | {"base": group["lr"]} for group in groups if group["params"]]
    if isinstance(settings, SGD):
        return torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=settings.weight_decay, fused=True)
    return torch.optim.Adam(groups, weight_decay=settings.weight_decay, fused=True)
