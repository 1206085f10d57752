"""What was typed, checked against what exists: names, values, and `--set NAME.option=value`."""

import dataclasses
import math
import re
from typing import Any

from benchmark.terminal import Usage, one_of, say


def parse_sets(texts: list[str], methods: dict[str, dict], datasets: dict[str, Any]) -> dict[str, str]:
    """['lanet.confidence=0.8', ...] as {'lanet.confidence': '0.8'}; names are checked here, used or not.

    methods: {name: card}. datasets: {name: class}.
    """
    found: dict[str, str] = {}
    spelt: dict[str, str] = {}  # {the one name of each: as it was typed}
    for text in texts:
        matched = re.fullmatch(r"([^.=]+)\.([^=]+)=(.*)", text)
        if not matched:
            raise Usage(f"--set {text}: expected NAME.option=value, for example lanet.confidence=0.8")
        name, option, value = matched.groups()
        one_of(
            f"--set {text}",
            "method, data set, 'recipe', 'backbone' or 'scale'",
            name,
            {*methods, *datasets, "recipe", "backbone", "scale"},
        )
        if name == "scale":
            one_of(f"--set {text}", "option of the scale", option, ["subset"])
        if name in methods:
            one_of(f"--set {text}", f"parameter of {name}", option, [*methods[name]["parameters"], "backbone"])
        elif name in datasets:
            known = [field.name for field in dataclasses.fields(datasets[name].Options)]
            one_of(f"--set {text}", f"option of {name}", option, known)
        meant = "recipe.backbone" if (name, option) == ("backbone", "name") else f"{name}.{canonical(option)}"
        before = found.pop(spelt.get(meant, ""), value)
        if before != value:
            say(f"--set {meant}: is given as {before} and as {value}; the last one counts")
        spelt[meant] = f"{name}.{option}"
        found[spelt[meant]] = value
    return found


def typed(key: str, text: Any, like: Any) -> Any:
    """A typed value from what was typed, of the type of the default `like`; raises Usage."""
    if not isinstance(text, str):
        return text
    try:
        if isinstance(like, bool):
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
        if isinstance(like, int):
            return int(text)
        if isinstance(like, float):
            return numbers(text)[0]
        if like is None:
            if "," in text:
                return numbers(text)
            return None if text.lower() == "none" else numbers(text)[0] if re.fullmatch(r"[-+0-9.eE]+", text) else text
        if isinstance(like, list | tuple):
            return None if text.lower() == "none" else numbers(text)
    except (ValueError, KeyError):
        kind = {"bool": "true or false", "int": "a whole number", "float": "a number"}.get(
            type(like).__name__, "numbers"
        )
        raise Usage(f"--set {key}={text}: expected {kind} (default {like})") from None
    return text


def numbers(text: str) -> list[float]:
    """Finite numbers between commas; raises ValueError."""
    found = [float(part) for part in text.split(",")]
    if not all(math.isfinite(value) for value in found):
        raise ValueError("not finite")
    return found


def spelled(value: Any) -> str:
    """A value as the one string that stands for it in an identity."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return format(value, ".12g")
    return ",".join(map(spelled, value)) if isinstance(value, list | tuple) else str(value)


def dataset_options(dataset: Any, sets: dict[str, str]) -> Any:
    """A data set's frozen options from `--set DATASET.option=value`."""
    known = {f.name: f.default for f in dataclasses.fields(dataset.Options)}
    chosen = {}
    for key, text in sets.items():
        name, option = key.split(".", 1)
        if name == dataset.name:
            one_of(f"--set {key}={text}", f"option of {name}", option, known)
            chosen[option] = typed(key, text, known[option])
    try:
        return dataset.Options(**chosen)
    except ValueError as error:
        raise Usage(f"--set {dataset.name}: {error}") from None


def canonical(option: str) -> str:
    """The one name of a recipe field that has a short one: 'lr' is 'optimiser.lr'."""
    return f"optimiser.{option}" if option in ("lr", "head_lr", "weight_decay") else option


def fields(tree: dict[str, Any], prefix: str = "") -> list[str]:
    """The leaves of a recipe that can be set, as 'epochs' and 'optimiser.lr'."""
    found = []
    for name, value in tree.items():
        if isinstance(value, dict):
            found += fields(value, f"{prefix}{name}.")
        elif name != "kind":
            found.append(f"{prefix}{name}")
    return found


def set_path(tree: dict[str, Any], key: str, option: str, text: Any) -> tuple[Any, Any]:
    """Change one leaf of a recipe ('epochs', 'optimiser.lr'); returns (old, new)."""
    one_of(f"--set {key}={text}", "recipe field", option, fields(tree))
    *parents, leaf = option.split(".")
    part = tree
    for name in parents:
        part = part[name]
    old = part[leaf]
    part[leaf] = typed(key, text, old)
    return old, part[leaf]
