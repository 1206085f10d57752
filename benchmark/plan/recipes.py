"""From a method's card and what was asked to the recipe and parameters that a run uses, and what its identity names."""

import copy
from typing import Any

from benchmark.plan.overrides import full_option_name, parse_override, set_path, spell_setting
from benchmark.scale import DEMO, Scale, translate_value
from benchmark.terminal import Usage, one_of


def resolve_recipe(
    cards: dict[str, dict],
    method: str,
    requested_settings: dict[str, str],
    scale: Scale,
    preset: str,
    data: str,
    images: int,
    published_settings: bool = False,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The resolved recipe and parameters of a method, and the overrides that belong to the job's identity.

    requested_settings: {'lanet.confidence': '0.8', 'recipe.epochs': '5', ...}, values in published units; keys of other
    methods are passed over. images: training images of the run. published_settings: leave out the settings that the
    method declares for shortened scales (`Method.demo`). Overrides are what differs from the published settings and the
    scale's recipe, whoever asked for it, so that settings chosen later give other jobs.
    """
    card = cards[method]
    names = (method, "recipe", "backbone")
    own_settings = {key: text for key, text in requested_settings.items() if key.split(".", 1)[0] in names}
    typed_keys = set(own_settings)
    declared_settings = chosen_settings(card, scale)
    chosen_values = {} if published_settings else declared_settings
    chosen_recipe = {key: spell_setting(value) for key, value in chosen_values.items() if key.startswith("recipe.")}
    own_settings = chosen_recipe | own_settings
    overrides: dict[str, str] = {}
    base_recipe = copy.deepcopy((preset == "as_published" and card["as_published"]) or card["recipe"])
    if "recipe.like" in own_settings:
        other_method = one_of("--set recipe.like", "method", own_settings.pop("recipe.like"), cards)
        if other_method != method:
            backbone = base_recipe["backbone"]
            own_augment = base_recipe["augment"]
            base_recipe = copy.deepcopy(cards[other_method]["recipe"]) | {"backbone": backbone}
            base_recipe["augment"] |= {part: own_augment[part] for part in ("second_view", "strong")}
            overrides["recipe.like"] = other_method
    recipe = copy.deepcopy(scale.applied(base_recipe, data))
    for key, text in own_settings.items():
        name, option = key.split(".", 1)
        if option == "backbone" or key == "backbone.name":
            name = "recipe"
            option = "backbone"
        if name in ("recipe", "backbone"):
            option = full_option_name(option)
            old_value, new_value = set_path(recipe, key, option, text)
            if old_value != new_value:
                overrides[f"recipe.{option}"] = spell_setting(new_value)
    for name, least in (("epochs", 1), ("batch_size", 2)):  # a batch of one image is left out
        if not least <= recipe[name] <= 100_000:
            raise Usage(f"--set recipe.{name}={recipe[name]}: expected {least} to 100,000")
    parameters, changed_parameters = method_parameters(card, method, own_settings, chosen_values)
    overrides |= changed_parameters
    scale_notes = scale.notes(recipe["backbone"])
    if scale.shortened:
        published_recipe = card["recipe"] if "recipe.like" in overrides else base_recipe
        for name, value in parameters.items():
            rule = card["parameters"][name]["scales"]
            parameters[name] = translate_parameter(method, name, value, rule, published_recipe, recipe, images)
        kept_keys = set(chosen_values) - typed_keys
        kept_choices = {name: entry for name, entry in card["demo"].items() if full_name(method, name) in kept_keys}
        source_note = "" if scale.name == DEMO.name else f"chosen at {DEMO.name} scale: "
        scale_notes += describe_chosen(card["title"], kept_choices, source_note)
    settings = {
        "recipe": recipe,
        "parameters": parameters,
        "scale_notes": scale_notes,
        "method_title": card["title"],
        "mechanism": card["mechanism"],
    }
    if declared_settings:
        settings["chosen_settings"] = {key: spell_setting(value) for key, value in declared_settings.items()}
    return settings, overrides


def translate_parameter(
    method: str, name: str, value: Any, rule: str | None, published: dict, recipe: dict, images: int
) -> Any:
    """A parameter at demo scale; raises Usage for a momentum or an epoch that is none."""
    try:
        translated_value = translate_value(value, rule, published, recipe, images)
    except OverflowError:
        translated_value = 0j
    if isinstance(translated_value, complex):
        raise Usage(f"--set {method}.{name}={value}: out of range for a parameter that is given {rule}")
    return translated_value


def full_name(method: str, option: str) -> str:
    """The key of an option as `--set` names it: 'scn.margin_2', 'recipe.augment.erase'."""
    return option if option.startswith("recipe.") else f"{method}.{option}"


def describe_chosen(title: str, chosen: dict[str, Any], source_note: str) -> list[str]:
    """A line for each reason of a method's chosen settings."""
    settings_by_reason: dict[str, list[str]] = {}
    for option_name, (value, reason) in chosen.items():
        settings_by_reason.setdefault(reason, []).append(f"{option_name} {value}")
    return [f"{title}: {', '.join(texts)} ({source_note}{reason})" for reason, texts in settings_by_reason.items()]


def chosen_settings(card: dict[str, Any], scale: Scale) -> dict[str, Any]:
    """{key: value} that a method declares for shortened scales; empty where recipes stay as published."""
    if not scale.shortened:
        return {}
    return {full_name(card["name"], name): value for name, (value, _) in card["demo"].items()}


def method_parameters(
    card: dict[str, Any], method: str, own_settings: dict[str, str], chosen_values: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Parameters in published units, and {'method.name': text} of those that differ from the published ones."""
    published_values = {name: declaration["default"] for name, declaration in card["parameters"].items()}
    values = {name: chosen_values.get(f"{method}.{name}", value) for name, value in published_values.items()}
    for key, text in own_settings.items():
        name, option = key.split(".", 1)
        if name != method or option == "backbone":
            continue
        one_of(f"--set {key}={text}", f"parameter of {method}", option, [*values, "backbone"])
        values[option] = parse_override(key, text, published_values[option], card["parameters"][option]["type"])
    spelled_values = {name: spell_setting(value) for name, value in values.items()}
    changed_values = {
        f"{method}.{name}": text
        for name, text in spelled_values.items()
        if text != spell_setting(published_values[name])  # lists of a file are tuples of a class
    }
    return values, changed_values
