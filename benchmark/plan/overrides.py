"""What was typed, checked against what exists: names, values, and `--set NAME.option=value`."""

import dataclasses
import math
import re
from typing import Any

from benchmark.terminal import Usage, one_of, print_note


def parse_sets(texts: list[str], methods: dict[str, dict], datasets: dict[str, Any]) -> dict[str, str]:
    """['lanet.confidence=0.8', ...] as {'lanet.confidence': '0.8'}; names are checked here, used or not.

    methods: {name: card}. datasets: {name: class}.
    """
    settings: dict[str, str] = {}
    typed_keys: dict[str, str] = {}  # {the one name of each: as it was typed}
    for text in texts:
        match = re.fullmatch(r"([^.=]+)\.([^=]+)=(.*)", text)
        if not match:
            raise Usage(f"--set {text}: expected NAME.option=value, for example lanet.confidence=0.8")
        name, option, value = match.groups()
        if not value.strip():
            raise Usage(f"--set {text}: there is no value behind '='; give one, or leave it out")
        known_names = {*methods, *datasets, "recipe", "backbone", "scale"}
        one_of(f"--set {text}", "method, data set, 'recipe', 'backbone' or 'scale'", name, known_names)
        if name == "scale":
            one_of(f"--set {text}", "option of the scale", option, ["subset"])
        if name in methods:
            recipe_field = option.removeprefix("recipe.")
            is_of_recipe = recipe_field.split(".")[0] in methods[name]["recipe"]
            recipe_hint = f"A field of the recipe is --set recipe.{recipe_field}" if is_of_recipe else ""
            known_parameters = [*methods[name]["parameters"], "backbone"]
            one_of(f"--set {text}", f"parameter of {name}", option, known_parameters, recipe_hint)
            if option in methods[name]["parameters"]:  # a value that is none is refused before pictures are decoded
                parameter = methods[name]["parameters"][option]
                parse_override(f"{name}.{option}", value, parameter["default"], parameter["type"])
        elif name in datasets:
            known_options = [field.name for field in dataclasses.fields(datasets[name].Options)]
            one_of(f"--set {text}", f"option of {name}", option, known_options)
        full_key = "recipe.backbone" if (name, option) == ("backbone", "name") else f"{name}.{full_option_name(option)}"
        earlier_value = settings.pop(typed_keys.get(full_key, ""), value)
        if earlier_value != value:
            print_note(f"--set {full_key}: you gave {earlier_value} and {value}; the last one counts")
        typed_keys[full_key] = f"{name}.{option}"
        settings[typed_keys[full_key]] = value
    return settings


TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
EXPECTED = {
    "bool": "true or false",
    "int": "one whole number",
    "float": "one number, its decimals behind a point as in 0.5",
    "list": "numbers between commas, their decimals behind a point as in 0.5",
    "any": "one number, numbers between commas, or a word",
}


def parse_override(key: str, text: Any, default_value: Any, annotation: str = "") -> Any:
    """A typed value, read whole, of the type of `default_value` or, where that is None, of what is annotated; raises Usage."""
    if not isinstance(text, str):
        return text
    value_kind = kind_of(default_value, annotation)
    if text.lower() == "none" and (default_value is None or value_kind == "list" or "None" in annotation):
        return None
    try:
        return parse_value(text, value_kind)
    except (ValueError, KeyError):
        raise Usage(f"--set {key}={text}: expected {EXPECTED[value_kind]} (default {default_value})") from None


def kind_of(default_value: Any, annotation: str) -> str:
    """'bool', 'int', 'float', 'list' or 'text'; 'any' where neither the default nor its annotation says which."""
    named_types = set(re.findall(r"\w+", annotation)) - {"None"}
    if default_value is None:
        simple_kinds = {"bool": "bool", "int": "int", "float": "float", "str": "text"}
        return simple_kinds.get(named_types.pop(), "any") if len(named_types) == 1 else "any"
    if isinstance(default_value, list | tuple):
        return "list"
    if type(default_value) is int and named_types == {"float"}:  # `weight: float = 1`
        return "float"
    return type(default_value).__name__ if isinstance(default_value, bool | int | float) else "text"


def annotation_text(field: dataclasses.Field) -> str:
    """How a field of a dataclass is annotated, as 'float | None'."""
    return field.type.__name__ if isinstance(field.type, type) else str(field.type)


def parse_value(text: str, kind: str) -> Any:
    """What was typed as one kind of value; raises ValueError or KeyError where it is none."""
    if kind == "any":
        if "," in text:
            return parse_numbers(text)
        return parse_finite(text) if re.fullmatch(r"[-+0-9.eE]+", text) else text
    parsers = {
        "bool": lambda word: TRUTH[word.lower()],
        "int": parse_whole,
        "float": parse_finite,
        "list": parse_numbers,
    }
    return parsers[kind](text) if kind in parsers else text


def parse_number(text: str) -> float:
    """One number; raises ValueError, also for a comma, and for '0_1', which Python reads as 1."""
    if "_" in text:
        raise ValueError("an underscore")
    return float(text)


def parse_whole(text: str) -> int:
    """One whole number; raises ValueError."""
    if "_" in text:
        raise ValueError("an underscore")
    return int(text)


def parse_finite(text: str) -> float:
    """One finite number; raises ValueError, also for a comma."""
    value = parse_number(text)
    if not math.isfinite(value):
        raise ValueError("not finite")
    return value


def parse_numbers(text: str) -> list[float]:
    """Finite numbers between commas; raises ValueError."""
    return [parse_finite(number_text) for number_text in text.split(",")]


def spell_setting(value: Any) -> str:
    """A value as the one string that stands for it in an identity."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return format(value, ".12g")
    return ",".join(map(spell_setting, value)) if isinstance(value, list | tuple) else str(value)


def dataset_options(dataset: Any, sets: dict[str, str]) -> Any:
    """A data set's frozen options from `--set DATASET.option=value`."""
    known_options = {field.name: field for field in dataclasses.fields(dataset.Options)}
    chosen_options = {}
    for key, text in sets.items():
        name, option = key.split(".", 1)
        if name == dataset.name:
            one_of(f"--set {key}={text}", f"option of {name}", option, known_options)
            field = known_options[option]
            chosen_options[option] = parse_override(key, text, field.default, annotation_text(field))
    try:
        return dataset.Options(**chosen_options)
    except ValueError as error:
        raise Usage(f"--set {dataset.name}: {error}") from None


def full_option_name(option: str) -> str:
    """The one name of a recipe field that has a short one: 'lr' is 'optimiser.lr'."""
    return f"optimiser.{option}" if option in ("lr", "head_lr", "weight_decay") else option


def list_recipe_fields(tree: dict[str, Any], prefix: str = "") -> list[str]:
    """The leaves of a recipe that can be set, as 'epochs' and 'optimiser.lr'."""
    field_names = []
    for name, value in tree.items():
        if isinstance(value, dict):
            field_names += list_recipe_fields(value, f"{prefix}{name}.")
        elif name != "kind":
            field_names.append(f"{prefix}{name}")
    return field_names


def set_path(tree: dict[str, Any], key: str, option: str, text: Any) -> tuple[Any, Any]:
    """Change one leaf of a recipe ('epochs', 'optimiser.lr'); returns (old, new)."""
    comes_in_kinds = isinstance(tree.get(option), dict)  # as 'schedule' does
    kind_hint = f"Another kind of {option} is written in a method's file and counts at --scale paper"
    one_of(f"--set {key}={text}", "recipe field", option, list_recipe_fields(tree), kind_hint if comes_in_kinds else "")
    parent, _, leaf = option.rpartition(".")
    branch = recipe_value(tree, parent) if parent else tree
    old_value = branch[leaf]
    branch[leaf] = parse_override(key, text, old_value)
    return old_value, branch[leaf]


def recipe_value(recipe: dict[str, Any], option: str) -> Any:
    """The field of a recipe that 'optimiser.lr' names."""
    value: Any = recipe
    for name in option.split("."):
        value = value[name]
    return value
