"""What would fail in every job, found out before the first one: the results folder, settings, start weights."""

from pathlib import Path
from typing import Any

from benchmark.cache import decoded
from benchmark.plan.matrix import Planned
from benchmark.scale import SCALES, steps_per_epoch
from benchmark.terminal import Usage, one_line, one_of
from results.files import try_writing
from results.job import digest


def writable(option: str, folder: Path) -> None:
    """Raises Usage where nothing could be kept in a folder."""
    try:
        try_writing(folder)
    except OSError as error:
        raise Usage(f"{option}: {folder}: {error.strerror}; choose a folder that can be written") from None


def preflight(todo: list[Planned]) -> None:
    """Raises Usage for the first setting, or file of start weights, that cannot work."""
    changed = {
        digest([p.job.method, p.resolved["parameters"], p.resolved["recipe"]]): p for p in todo if p.job.overrides
    }
    for planned in changed.values():
        check_settings(planned)
    given = {(p.place.weights, p.resolved["recipe"]["backbone"]): p for p in todo if not p.pretraining}
    for (path, backbone), planned in given.items():
        if path:
            check_weights("--weights", path, backbone, SCALES[planned.job.scale["name"]].channels)
    further = {(p.place.weights2, p.resolved["recipe"]["backbone"]): p for p in todo if p.place.weights2}
    for (path, backbone), planned in further.items():
        check_weights("--weights2", path, backbone, SCALES[planned.job.scale["name"]].channels)


def check_settings(planned: Planned) -> None:
    """Build the method as a job would, with the settings that were changed by hand or by a row."""
    from benchmark import find
    from methods.backbones import BACKBONES
    from methods.recipe import plain, rebuild

    job, recipe = planned.job, planned.resolved["recipe"]
    one_of("--set recipe.backbone", "backbone", recipe["backbone"], BACKBONES)
    folders = tuple(Path(folder) for folder in planned.place.methods_path)
    cls = find.method(job.method, folders)
    texts = ", ".join(f"{key}={value}" for key, value in job.overrides.items())
    try:
        parameters = cls.Parameters(**planned.resolved["parameters"])
        used = cls.adapt(rebuild(recipe), parameters, job.noise["kind"] != "none")
        build_on_cpu(planned, cls(parameters), used)
    except (ValueError, TypeError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        raise Usage(f"--set: {job.method} refuses {texts}: {one_line(error)}") from None
    for key, value in job.overrides.items():
        if key.startswith("recipe.") and key != "recipe.like" and leaf(plain(used), key) != leaf(recipe, key):
            raise Usage(f"--set {key}={value}: {job.method} sets this itself, from its own parameters")


def build_on_cpu(planned: Planned, method: Any, recipe: Any) -> None:
    """The method on its backbone with its optimiser; whether the run can be is the method's to say."""
    import torch

    from benchmark.train.assembly import make_optimiser, networks
    from methods.base import Run

    job, data = planned.job, decoded.open_folder(Path(planned.place.data))
    size = SCALES[job.scale["name"]]
    images = size.images(len(data.train.labels), job.holdout)
    steps = steps_per_epoch(images, recipe.batch_size, recipe.drop_last)
    run = Run(len(data.classes), images, recipe.epochs, steps, recipe.batch_size, size.side, True, job.seed)
    backbone, *others = networks(type(method), recipe.backbone, job, run)
    method.build(backbone, run.classes, *others)
    method.check(run)
    make_optimiser(method, recipe, torch.device("cpu"))


def leaf(recipe: dict[str, Any], key: str) -> Any:
    """The field that 'recipe.optimiser.lr' names."""
    part: Any = recipe
    for name in key.split(".")[1:]:
        part = part[name]
    return part


def check_weights(option: str, path: str, backbone: str, channels: int) -> None:
    from methods.backbones import BACKBONES
    from methods.weights import load_backbone

    try:
        load_backbone(BACKBONES[one_of("--set recipe.backbone", "backbone", backbone, BACKBONES)](channels), path)
    except (ValueError, OSError) as error:
        raise Usage(f"{option}: {error}") from None
