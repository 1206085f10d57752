"""What a backbone starts from: identity, file and words, and how to make it if it has to be made here."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmark import scale
from benchmark.cache import decoded
from benchmark.plan.request import Request
from benchmark.terminal import Usage
from results.files import digest_file
from results.job import json_digest

MADE_HERE = ("landmarks", "imagenet", "random")  # what `--weights` takes beside files
ENOUGH = 30  # training images with usable landmarks that a shape model can be made of


@dataclass(frozen=True)
class Start:
    """What a network starts from."""

    identity: str  # in a job's, empty where it says nothing
    path: str | None = None  # of the file; None for random weights
    text: str = ""  # in captions
    pretraining: dict[str, Any] | None = None  # how the file is made where it has to be made here


def choose_start_weights(data: decoded.Data, backbone: str, code: str | None, request: Request) -> Start:
    """What the backbone starts from; code: of one's own. Raises Usage."""
    choice = request.weights or request.scale.weights
    if choice == "landmarks" and data.train.usable_landmarks < ENOUGH:
        if request.weights:
            image_count = data.train.usable_landmarks
            lack_text = f"usable landmarks of {image_count} training images only" if image_count else "no landmarks"
            fix_hint = f"run python -m benchmark landmarks {data.name} --data {data.name}=PATH"
            raise Usage(f"--weights landmarks: {data.name} has {lack_text}; {fix_hint}")
        choice = "random"
    if choice == "random":
        return Start("random", text="random weights")
    if choice == "imagenet":
        return published_weights(backbone)
    if choice == "landmarks":
        job_settings = request.scale, request.precision, request.device
        return landmark_weights(data, backbone, *job_settings, request.results, code, request.methods_path)
    return weights_of_file("--weights", choice)


def published_weights(backbone: str) -> Start:
    """The weights that a library publishes of its network; which file they are is found before training."""
    from methods.support.libraries import published_weights_name

    try:
        name = published_weights_name(backbone)
    except ValueError as error:
        raise Usage(f"--weights imagenet: {error}") from None
    return Start(f"imagenet:{name}", text=f"{name.partition('/')[0]}'s published weights {name.partition('/')[2]}")


def landmark_weights(
    data: decoded.Data,
    backbone: str,
    size: scale.Scale,
    precision: str,
    device: str,
    results: Path,
    code: str | None = None,
    folders: Iterable[Path] = (),
) -> Start:
    """Start weights that are made from the data's landmarks, in the results folder; not made yet.

    code, folders: of a backbone of one's own.
    """
    key_parts = [
        scale.PRETRAINING_VERSION,
        data.fingerprint,
        data.landmark_fingerprint,
        backbone,
        size.name,
        *([] if size.subset == scale.SUBSET_SEED else [size.subset]),
        *([] if code is None else [code]),
    ]
    weights_key = json_digest([*key_parts, precision], 16)
    path = str(results / "weights" / f"{weights_key}.pt")
    text = f"label-free pre-training on the landmarks of its own training images ({weights_key[:8]})"
    pretraining: dict[str, Any] = {"folder": str(data.folder), "path": path, "backbone": backbone, "scale": size.name}
    pretraining |= {"subset": size.subset, "device": device, "precision": precision}
    if code:
        pretraining["methods_path"] = [str(folder) for folder in folders]
    return Start(f"landmarks:{weights_key}", path, text, pretraining)


def further_weights(choice: str | None) -> Start:
    """What a method's further networks start from (`--weights2`); without it what the first one starts from."""
    if choice is None:
        return Start("")
    if choice == "random":
        return Start("random", text="; further networks: random weights")
    file_start = weights_of_file("--weights2", choice)
    return replace(file_start, text=f"; further networks: {file_start.text}")


def digest_once(path: Path) -> str:
    """The SHA-256 of a file, read once in a process for as long as it is the same file; raises OSError, ValueError."""
    facts = path.stat()
    return digest_version(path, facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size)


@lru_cache
def digest_version(path: Path, *version: int) -> str:
    """The SHA-256 of a file; version: numbers of which one is another when the file is."""
    return digest_file(path)


def weights_of_file(option: str, choice: str) -> Start:
    """A file of start weights; raises Usage where there is none."""
    expected = "a checkpoint or 'random'"
    if option == "--weights":
        expected = "a checkpoint, 'landmarks', 'imagenet' or 'random'"
    path = Path(choice)
    if re.match(r"\w+://", choice):
        raise Usage(f"{option} {choice}: nothing is downloaded here; get the file first and give its path")
    try:
        file_digest = digest_once(path)
    except (OSError, ValueError) as error:  # a ValueError: a name that no file can have
        near_words = get_close_matches(choice.lower(), re.findall(r"'(\w+)'", expected), 1)
        hint = f" (did you mean {near_words[0]!r}?)" if near_words else ""
        if choice.startswith(("torchvision/", "timm/")):
            hint = f" (for a library's published weights: --weights imagenet --set backbone.name={choice})"
        reason = getattr(error, "strerror", None) or error
        raise Usage(f"{option} {choice[:200]}: {reason}{hint}; give {expected}") from None
    return Start(f"sha256:{file_digest}", str(path), f"{path.name} (sha256 {file_digest[:8]})")
