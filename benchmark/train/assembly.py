"""A method on its backbone, with start weights and its optimiser: the one place that puts them together."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmark import plugins
from benchmark.scale import leave_out_network, restore_scale, steps_per_epoch
from benchmark.source_code import hash_code
from benchmark.task import Place
from benchmark.train.training_set import TrainingSet
from methods.base import Method, Run
from methods.support.backbones import Backbone
from methods.support.libraries import load_published, name_with_version
from methods.support.recipe import SGD, AdamW, Recipe, list_kinds, recipe_from_dict
from methods.support.weights import load_backbone
from results.job import Job, stream_seed

PRECISION = {"fp32": None, "bf16": torch.bfloat16}


def build_method(job: Job, resolved: dict[str, Any], place: Place, data: TrainingSet) -> tuple[Method, Recipe, Run]:
    """The method on its backbone, with start weights and the given labels."""
    cls = plugins.find_method(job.method, tuple(Path(folder) for folder in place.methods_path))
    if cls.version != job.method_version:
        raise ValueError(f"{job.method}: its file was changed to version {cls.version} since this job was planned")
    if cls.needs_landmarks and data.landmarks is None:
        raise ValueError(f"{job.method}: the data set {job.data['name']} has no landmarks; see docs/data.md")
    hash_code(cls)  # of the file as it is imported
    method, recipe, run = assemble_method(cls, job, resolved, place, len(data.classes), len(data.given))
    return begin_method(method, torch.from_numpy(data.given), run, place.device), recipe, run


def assemble_method(
    cls: type[Method], job: Job, resolved: dict[str, Any], place: Place, classes: int, images: int
) -> tuple[Method, Recipe, Run]:
    """The method on its networks, on the CPU, before it has seen a label; raises what the method refuses."""
    parameters = cls.Parameters(**resolved["parameters"])
    has_noise = job.noise["kind"] != "none"
    own_kinds = list_kinds(cls.as_published) | list_kinds(cls.recipe)
    recipe = cls.adapt(recipe_from_dict(resolved["recipe"], own_kinds), parameters, has_noise)
    run = Run(
        classes=classes,
        images=images,
        epochs=recipe.epochs,
        steps_per_epoch=steps_per_epoch(images, recipe.batch_size, recipe.drop_last),
        batch_size=recipe.batch_size,
        image_size=restore_scale(job.scale).side,
        noisy=has_noise,
        seed=job.seed,
    )
    if plugins.hash_backbone(recipe.backbone, place.methods_path) != job.backbone_code:
        raise ValueError(
            f"{recipe.backbone}: its file is not the one that this job was planned with; run the command again, or give the "
            "folder of that file as --methods-path"
        )
    backbone, *further_backbones = make_backbones(cls, recipe.backbone, job, run, place.methods_path)
    load_start_weights(backbone, job.weights, place.weights, resolved["weights"], "loaded")
    for further_backbone in further_backbones:
        has_own_weights = job.weights2 is not None
        identity, path = (job.weights2, place.weights2) if has_own_weights else (job.weights, place.weights)
        load_start_weights(further_backbone, identity, path, resolved["weights"], "loaded2")
    method = cls(parameters)
    if getattr(method, "settings", None) is not parameters:
        raise ValueError(
            f"{cls.name}: its __init__ does not keep the settings, so that --set would change nothing; leave it out and use "
            "build, or call super().__init__(parameters)"
        )
    method.build(backbone, run.classes, *further_backbones)
    method.check(run)
    note_network(method, backbone, recipe.backbone, resolved)
    return method, recipe, run


def note_network(method: Method, given_backbone: Backbone, name: str, resolved: dict[str, Any]) -> None:
    """Keep the name of the network that is trained where it is not the recipe's word: a library's, or the method's own."""
    if "/" in name:
        resolved["network"] = name_with_version(name)
    if not any(type(module) is type(given_backbone) for module in method.modules()):
        resolved["network"] = f"{type(method.backbone).__name__}, the method's own"
        resolved["weights"] = {"text": "the method's own"}
        resolved["scale_notes"] = leave_out_network(resolved.get("scale_notes", []))


def begin_method(method: Method, labels: torch.Tensor, run: Run, device: str) -> Method:
    """The method on its device, with its labels; how often a batch normalisation was used stays on the host.

    Only a file tells that count, and on the host it costs no launch, 20 in a pass through ResNet-18.
    """
    method.to(device, memory_format=torch.channels_last)
    method.begin(labels.to(device), run)
    method.to(device)  # and what it has made by now
    for module in method.modules():
        is_norm = isinstance(module, torch.nn.modules.batchnorm._NormBase)
        if is_norm and module.num_batches_tracked is not None and module.momentum is not None:
            module.num_batches_tracked = module.num_batches_tracked.cpu()
    return method


def make_backbones(cls: type[Method], name: str, job: Job, run: Run, folders: plugins.Folders = ()) -> list[Backbone]:
    """The backbones that a method asks for, each at random weights of its own; the heads' draws follow the first's."""

    def make_one(*number: int) -> Backbone:
        torch.manual_seed(stream_seed("initialisation", name, run.classes, job.seed, *number))
        backbone = plugins.make_backbone(name, restore_scale(job.scale).channels, run.image_size, folders)
        backbone.precision = PRECISION[job.precision]
        return backbone

    further_backbones = [make_one(number) for number in range(2, cls.networks + 1)]
    return [make_one(), *further_backbones]


def load_start_weights(backbone: Backbone, identity: str, path: str | None, noted: dict[str, Any], name: str) -> None:
    """Fill a backbone from a file of start weights, if there is one, and note under `name` what was found in it."""
    if path is None:
        return
    loaded = (load_published if identity.startswith("imagenet:") else load_backbone)(backbone, Path(path))
    if identity.startswith("sha256:") and identity != f"sha256:{loaded.sha256}":
        raise ValueError(f"{path}: the file was changed since this job was planned; run the command again")
    noted[name] = asdict(loaded)


def make_optimiser(method: Method, recipe: Recipe, device: torch.device) -> torch.optim.Optimizer:
    """Two groups: the heads that the method names, at their own rate, and everything else, frozen or not.

    What is frozen gets no gradient, is not moved, and may learn later. On a card the rates lie there, so that a captured
    step reads them anew.
    """
    settings = recipe.optimiser
    own_head_lr = getattr(settings, "head_lr", None)
    head_lr = settings.lr if own_head_lr is None else own_head_lr  # 0 keeps the heads as they start
    heads = {id(p) for module in method.heads() for p in module.parameters()}
    groups = [
        {"params": [p for p in method.parameters() if id(p) not in heads], "lr": settings.lr},
        {"params": [p for p in method.parameters() if id(p) in heads], "lr": head_lr},
    ]
    groups = [group | {"base": group["lr"]} for group in groups if group["params"]]
    on_gpu = device.type == "cuda"
    for group in groups if on_gpu else ():
        group["lr"] = torch.tensor(group["lr"], device=device)
    if hasattr(settings, "make"):
        own_optimiser = settings.make(groups, on_gpu)
        if not isinstance(own_optimiser, torch.optim.Optimizer):
            own_type = type(own_optimiser).__name__
            raise TypeError(f"{type(settings).__name__}.make returns {own_type}, expected a torch optimiser")
        return own_optimiser
    if isinstance(settings, SGD):
        return torch.optim.SGD(groups, momentum=settings.momentum, weight_decay=settings.weight_decay, fused=True)
    adam = torch.optim.AdamW if isinstance(settings, AdamW) else torch.optim.Adam
    return adam(groups, weight_decay=settings.weight_decay, fused=True, capturable=on_gpu)
