"""What would fail in every job, found out before the first one: the results folder, settings, start weights."""

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cache import decoded
from benchmark.plan.matrix import Planned
from benchmark.scale import restore_scale
from benchmark.terminal import Usage, error_line
from results.files import try_writing
from results.job import json_digest
from results.store import Store

if TYPE_CHECKING:
    from methods.base import Method
    from methods.support.recipe import Recipe


def check_writable(option: str, folder: Path) -> None:
    """Raises Usage where nothing could be kept in a folder."""
    try:
        try_writing(folder)
    except OSError as error:
        raise Usage(f"{option}: {folder}: {error.strerror}; choose a folder that can be written") from None


def check_writable_inside(folder: Path, todo: list[Planned]) -> None:
    """Raises Usage for what lies in a results folder, is needed by these jobs, and was made by somebody who keeps it."""
    store = Store(folder)
    needed = [path for path in folder.glob("*") if path.is_dir() and path.name != "data"]
    for planned in todo:
        needed += [folder / "attempts" / planned.job.id, store.log(planned.job.id)]
    for path in needed:
        if path.exists() and not os.access(path, os.W_OK):
            user = path.stat().st_uid
            raise Usage(
                f"--results: {path} belongs to user {user} and you may not write it; choose another folder, or have "
                f"them run chmod -R a+w {shlex.quote(str(folder))}"
            )


@contextmanager
def shared_like(folder: Path) -> Iterator[None]:
    """While this block runs, whoever may write `folder` may write the files and folders that are made."""
    before = os.umask(0o022)
    try:
        mode = folder.stat().st_mode
    except OSError:  # not made yet
        mode = 0
    others = mode & (stat.S_IWGRP | stat.S_IWOTH)
    os.umask(before if mode & stat.S_ISVTX else before & ~others)  # in a folder like /tmp everybody keeps their own
    try:
        yield
    finally:
        os.umask(before)


def check_jobs(todo: list[Planned]) -> None:
    """Raises Usage for the first setting, method of one's own, or file of start weights, that cannot work."""
    from benchmark import plugins

    check_backbones(todo)
    fetch_start_weights(todo)
    shipped = {definition.name for definition in plugins.find_definitions()}
    unproved = [p for p in todo if p.job.overrides or p.job.method not in shipped]
    changed = {json_digest([p.job.method, p.resolved["parameters"], p.resolved["recipe"]]): p for p in unproved}
    for planned in changed.values():
        check_settings(planned)
    given = {(p.place.weights, p.resolved["recipe"]["backbone"]): p for p in todo if not p.pretraining}
    for (path, backbone), planned in given.items():
        if path:
            check_weights_file("--weights", path, backbone, planned)
    further = {(p.place.weights2, p.resolved["recipe"]["backbone"]): p for p in todo if p.place.weights2}
    for (path, backbone), planned in further.items():
        check_weights_file("--weights2", path, backbone, planned)


def check_backbones(todo: list[Planned]) -> None:
    """Raises Usage for a network of another origin that cannot be built, or that lacks what a method needs of it."""
    from benchmark import plugins

    runs: dict[str, list[Planned]] = {}
    for planned in todo:
        runs.setdefault(planned.resolved["recipe"]["backbone"], []).append(planned)
    for name, own in runs.items():
        if "/" in name or own[0].job.backbone_code:
            scale, folders = restore_scale(own[0].job.scale), own[0].place.methods_path
            try:
                backbone = plugins.make_backbone(name, scale.channels, scale.side, folders)
            except ValueError as error:
                raise Usage(f"--set recipe.backbone={name}: {error}") from None
            methods = dict.fromkeys(planned.job.method for planned in own)
            needs = {method: plugins.find_method(method, folders).backbone_needs for method in methods}
            refuse_lacking(name, backbone.gives, needs)


def refuse_lacking(name: str, gives: str, needs: dict[str, str]) -> None:
    """Raises Usage where methods need more of a backbone than it gives; needs: {method: 'features', 'maps' or 'pyramid'}."""
    from methods.support.backbones import GIVES

    lacking = {method: need for method, need in needs.items() if GIVES.index(need) > GIVES.index(gives)}
    if not lacking:
        return
    words = {"maps": "maps", "pyramid": "a pyramid of stem and layer1 to layer4"}
    by_need = {need: ", ".join(method for method in lacking if lacking[method] == need) for need in words}
    needed = " and ".join(f"{words[need]} ({methods})" for need, methods in by_need.items() if methods)
    fix = "name the other methods with --methods, or use another backbone"
    raise Usage(f"--set recipe.backbone={name}: this network gives {gives}; needed: {needed}; {fix}")


def fetch_start_weights(todo: list[Planned]) -> None:
    """Find or fetch the files of published weights, and note where they lie; raises Usage."""
    files: dict[str, str] = {}
    for planned in todo:
        kind, _, name = planned.job.weights.partition(":")
        if kind != "imagenet":
            continue
        from methods.support.libraries import fetch_weights

        try:
            files[name] = files.get(name) or str(fetch_weights(name))
        except ValueError as error:
            raise Usage(f"--weights imagenet: {error}") from None
        planned.place = replace(planned.place, weights=files[name])


def check_settings(planned: Planned) -> None:
    """Build a method as a job would, with the settings that were changed by hand or by a row."""
    from benchmark import plugins
    from methods.support.recipe import recipe_to_dict

    job, recipe = planned.job, planned.resolved["recipe"]
    folders = tuple(Path(folder) for folder in planned.place.methods_path)
    cls = plugins.find_method(job.method, folders)
    texts = ", ".join(f"{key}={value}" for key, value in job.overrides.items())
    try:
        used = build_on_cpu(planned, cls)
    except (ValueError, TypeError, AttributeError, RuntimeError, ZeroDivisionError) as error:
        refused = f"--set: {job.method} refuses {texts}" if texts else f"--methods: {job.method} cannot be built"
        raise Usage(f"{refused}: {error_line(error)}") from None
    for key, value in job.overrides.items():
        if (
            key.startswith("recipe.")
            and key != "recipe.like"
            and recipe_field(recipe_to_dict(used), key) != recipe_field(recipe, key)
        ):
            raise Usage(f"--set {key}={value}: {job.method} sets this itself, from its own parameters")


def build_on_cpu(planned: Planned, cls: type["Method"]) -> "Recipe":
    """Build the method and its optimiser, without start weights; returns the recipe that it uses."""
    import torch

    from benchmark.train.assembly import assemble_method, make_optimiser

    job, data = planned.job, decoded.open_decoded(Path(planned.place.data))
    images = restore_scale(job.scale).images(len(data.train.labels), job.holdout)
    bare = replace(planned.place, weights=None, weights2=None, device="cpu")
    method, recipe, _ = assemble_method(cls, job, planned.resolved, bare, len(data.classes), images)
    make_optimiser(method, recipe, torch.device("cpu"))
    return recipe


def recipe_field(recipe: dict[str, Any], key: str) -> Any:
    """The field that 'recipe.optimiser.lr' names."""
    part: Any = recipe
    for name in key.split(".")[1:]:
        part = part[name]
    return part


def check_weights_file(option: str, path: str, backbone: str, planned: Planned) -> None:
    """Raises Usage for a file that does not fill a backbone."""
    from benchmark import plugins
    from benchmark.train.assembly import load_start_weights

    scale, identity = restore_scale(planned.job.scale), planned.job.weights if option == "--weights" else ""
    try:
        made = plugins.make_backbone(backbone, scale.channels, scale.side, planned.place.methods_path)
        load_start_weights(made, identity, path, {}, "loaded")
    except (ValueError, OSError) as error:
        raise Usage(f"{option}: {error}") from None
