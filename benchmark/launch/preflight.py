"""What would fail in every job, found out before the first one: the results folder, settings, start weights."""

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark import plugins
from benchmark.cache import decoded
from benchmark.plan.matrix import Planned
from benchmark.plan.overrides import recipe_value
from benchmark.scale import restore_scale
from benchmark.terminal import Usage, error_line
from methods.support.recipe import Recipe, recipe_to_dict
from results.files import try_writing
from results.job import json_digest
from results.store import Store

if TYPE_CHECKING:
    from methods.base import Method


def check_writable(option: str, folder: Path) -> None:
    """Raises Usage where nothing could be kept in a folder."""
    try:
        try_writing(folder)
    except OSError as error:
        raise Usage(f"{option}: {folder}: {error.strerror}; choose a folder that can be written") from None


def check_writable_inside(folder: Path, todo: list[Planned]) -> None:
    """Raises Usage for what lies in a results folder, is needed by these jobs, and was made by somebody who keeps it."""
    store = Store(folder)
    needed_paths = [path for path in folder.glob("*") if path.is_dir() and path.name != "data"]
    for planned in todo:
        needed_paths += [folder / "attempts" / planned.job.id, store.log(planned.job.id)]
    for path in needed_paths:
        if path.exists() and not os.access(path, os.W_OK):
            fix_hint = f"choose another folder, or have them run chmod -R a+w {shlex.quote(str(folder))}"
            raise Usage(f"--results: {path} belongs to user {path.stat().st_uid} and you may not write it; {fix_hint}")


@contextmanager
def shared_like(folder: Path) -> Iterator[None]:
    """While this block runs, whoever may write `folder` may write the files and folders that are made."""
    old_umask = os.umask(0o022)
    try:
        folder_mode = folder.stat().st_mode
    except OSError:  # not made yet
        folder_mode = 0
    write_bits = folder_mode & (stat.S_IWGRP | stat.S_IWOTH)
    everybody_keeps_own = folder_mode & stat.S_ISVTX  # a folder like /tmp
    os.umask(old_umask if everybody_keeps_own else old_umask & ~write_bits)
    try:
        yield
    finally:
        os.umask(old_umask)


def check_jobs(todo: list[Planned]) -> None:
    """Raises Usage for the first setting, method of one's own, or file of start weights, that cannot work."""
    check_backbones(todo)
    fetch_start_weights(todo)
    shipped_methods = {definition.name for definition in plugins.find_definitions()}
    unproved_runs = [run for run in todo if run.job.overrides or run.job.method not in shipped_methods]
    runs_by_settings = {
        json_digest([run.job.method, run.resolved["parameters"], run.resolved["recipe"]]): run for run in unproved_runs
    }
    for planned in runs_by_settings.values():
        check_settings(planned)
    given_weights = {("--weights", run.place.weights, backbone_of(run)): run for run in todo if not run.pretraining}
    given_weights |= {("--weights2", run.place.weights2, backbone_of(run)): run for run in todo}
    for (option, path, backbone), planned in given_weights.items():
        if path:
            check_weights_file(option, path, backbone, planned)


def backbone_of(planned: Planned) -> str:
    return planned.resolved["recipe"]["backbone"]


def check_backbones(todo: list[Planned]) -> None:
    """Raises Usage for a network of another origin that cannot be built, or that lacks what a method needs of it."""
    runs_by_backbone: dict[str, list[Planned]] = {}
    for planned in todo:
        runs_by_backbone.setdefault(backbone_of(planned), []).append(planned)
    for name, backbone_runs in runs_by_backbone.items():
        if "/" in name or backbone_runs[0].job.backbone_code:
            scale = restore_scale(backbone_runs[0].job.scale)
            plugin_folders = backbone_runs[0].place.methods_path
            try:
                backbone = plugins.make_backbone(name, scale.channels, scale.side, plugin_folders)
            except ValueError as error:
                raise Usage(f"--set recipe.backbone={name}: {error}") from None
            refuse_lacking(name, backbone.gives, {run.job.method: run.place.methods_path for run in backbone_runs})


def refuse_lacking(name: str, given_form: str, folders_by_method: dict[str, tuple[str, ...]]) -> None:
    """Raises Usage where methods need more of a backbone than it gives."""
    from methods.support.backbones import GIVES

    methods_by_need: dict[str, list[str]] = {}
    for method, folders in folders_by_method.items():
        methods_by_need.setdefault(plugins.find_method(method, folders).backbone_needs, []).append(method)
    need_texts = {"maps": "maps", "pyramid": "a pyramid of stem and layer1 to layer4"}
    lacking_texts = [
        f"{need_texts[need]} ({', '.join(methods_by_need[need])})"
        for need in GIVES[GIVES.index(given_form) + 1 :]
        if need in methods_by_need
    ]
    if lacking_texts:
        fix_hint = "name the other methods with --methods, or use another backbone"
        needed_text = " and ".join(lacking_texts)
        raise Usage(f"--set recipe.backbone={name}: this network gives {given_form}; needed: {needed_text}; {fix_hint}")


def fetch_start_weights(todo: list[Planned]) -> None:
    """Find or fetch the files of published weights, and note where they lie; raises Usage."""
    names = dict.fromkeys(run.job.weights for run in todo if run.job.weights.startswith("imagenet:"))
    weights_files = {name: str(fetch_published(name.partition(":")[2])) for name in names}
    for planned in todo:
        if planned.job.weights in weights_files:
            planned.place = replace(planned.place, weights=weights_files[planned.job.weights])


def fetch_published(name: str) -> Path:
    """The file of weights that a library publishes; raises Usage."""
    from methods.support.libraries import fetch_weights

    try:
        return fetch_weights(name)
    except ValueError as error:
        raise Usage(f"--weights imagenet: {error}") from None


def check_settings(planned: Planned) -> None:
    """Build a method as a job would, with the settings that were changed by hand or by a row."""
    job = planned.job
    method_class = plugins.find_method(job.method, planned.place.methods_path)
    overrides_text = ", ".join(f"{key}={value}" for key, value in job.overrides.items())
    try:
        used_recipe = build_on_cpu(planned, method_class)
    except (ValueError, TypeError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        refusal = f"--set: {job.method} refuses {overrides_text}"
        if not overrides_text:
            refusal = f"--methods: {job.method} cannot be built"
        raise Usage(f"{refusal}: {error_line(error)}") from None
    for key, value in job.overrides.items():
        name, option = key.split(".", 1)
        if name != "recipe" or option == "like":
            continue
        if recipe_value(recipe_to_dict(used_recipe), option) != recipe_value(planned.resolved["recipe"], option):
            raise Usage(f"--set {key}={value}: {job.method} sets this itself, from its own parameters")


def build_on_cpu(planned: Planned, method_class: type["Method"]) -> Recipe:
    """Build the method and its optimiser, without start weights; returns the recipe that it uses."""
    import torch

    from benchmark.train.assembly import assemble_method, make_optimiser

    job = planned.job
    data = decoded.open_decoded(Path(planned.place.data))
    image_count = restore_scale(job.scale).images(len(data.train.labels), job.holdout)
    place_without_weights = replace(planned.place, weights=None, weights2=None, device="cpu")
    method, recipe, _ = assemble_method(
        method_class, job, planned.resolved, place_without_weights, len(data.classes), image_count
    )
    make_optimiser(method, recipe, torch.device("cpu"))
    return recipe


def check_weights_file(option: str, path: str, backbone: str, planned: Planned) -> None:
    """Raises Usage for a file that does not fill a backbone."""
    from benchmark.train.assembly import load_start_weights

    scale = restore_scale(planned.job.scale)
    weights_identity = planned.job.weights if option == "--weights" else ""
    try:
        network = plugins.make_backbone(backbone, scale.channels, scale.side, planned.place.methods_path)
        load_start_weights(network, weights_identity, path, {}, "loaded")
    except (ValueError, OSError) as error:
        raise Usage(f"{option}: {error}") from None
