"""From a method's card and what was asked to the recipe and parameters that a run uses, and what its identity names."""

import copy
from typing import Any

from benchmark.plan.overrides import full_option_name, parse_override, set_path, spell_setting
from benchmark.scale import DEMO, Scale, translate_value
from benchmark.terminal import Usage, one_of


def resolve_recipe(
    cards: dict[str, dict],
    method: str,
    asked: dict[str, str],
    scale: Scale,
    preset: str,
    data: str,
    images: int,
    published_settings: bool = False,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The resolved recipe and parameters of a method, and the overrides that belong to the job's identity.

    asked: {'lanet.confidence': '0.8', 'recipe.epochs': '5', ...}, values in published units; keys of other methods are
    passed over. images: training images of the run. published_settings: leave out the settings that the method declares
    for shortened scales (`Method.demo`). Overrides are what differs from the published settings and the scale's recipe,
    whoever asked for it, so that settings chosen later give other jobs.
    """
    card = cards[method]
    mine = {key: text for key, text in asked.items() if key.split(".", 1)[0] in (method, "recipe", "backbone")}
    typed_keys = set(mine)
    declared = chosen_settings(card, scale)
    chosen = {} if published_settings else declared
    mine = {key: spell_setting(value) for key, value in chosen.items() if key.startswith("recipe.")} | mine
    overrides: dict[str, str] = {}
    published = copy.deepcopy((preset == "as_published" and card["as_published"]) or card["recipe"])
    if "recipe.like" in mine:
        like = one_of("--set recipe.like", "method", mine.pop("recipe.like"), cards)
        if like != method:
            backbone, own = published["backbone"], published["augment"]
            published = copy.deepcopy(cards[like]["recipe"]) | {"backbone": backbone}
            published["augment"] |= {part: own[part] for part in ("second_view", "strong")}
            overrides["recipe.like"] = like
    recipe = copy.deepcopy(scale.applied(published, data))
    for key, text in mine.items():
        name, option = key.split(".", 1)
        if option == "backbone" or key == "backbone.name":
            name, option = "recipe", "backbone"
        if name in ("recipe", "backbone"):
            option = full_option_name(option)
            old, new = set_path(recipe, key, option, text)
            if old != new:
                overrides[f"recipe.{option}"] = spell_setting(new)
    for name in ("epochs", "batch_size"):
        if not 1 <= recipe[name] <= 100_000:
            raise Usage(f"--set recipe.{name}={recipe[name]}: expected 1 to 100,000")
    parameters, changed = method_parameters(card, method, mine, chosen)
    overrides |= changed
    if scale.shortened:
        rules = {name: parameter["scales"] for name, parameter in card["parameters"].items()}
        paper = card["recipe"] if "recipe.like" in overrides else published
        parameters = {
            n: translate_parameter(method, n, v, rules[n], paper, recipe, images) for n, v in parameters.items()
        }
    notes = scale.notes(recipe["backbone"])
    if scale.shortened:
        kept = {
            name: entry for name, entry in card["demo"].items() if full_name(method, name) in set(chosen) - typed_keys
        }
        notes += describe_chosen(
            card["title"], kept, "" if scale.name == DEMO.name else f"chosen at {DEMO.name} scale: "
        )
    settings = {
        "recipe": recipe,
        "parameters": parameters,
        "scale_notes": notes,
        "method_title": card["title"],
        "mechanism": card["mechanism"],
    }
    if declared:
        settings["chosen_settings"] = {key: spell_setting(value) for key, value in declared.items()}
    return settings, overrides


def translate_parameter(
    method: str, name: str, value: Any, rule: str | None, published: dict, recipe: dict, images: int
) -> Any:
    """A parameter at demo scale; raises Usage for a momentum or an epoch that is none."""
    try:
        found = translate_value(value, rule, published, recipe, images)
    except OverflowError:
        found = 0j
    if isinstance(found, complex):
        raise Usage(f"--set {method}.{name}={value}: out of range for a parameter that is given {rule}")
    return found


def is_changed(value: Any, published: Any) -> bool:
    """Whether two values are spelled differently; a list from a file and a tuple from a class may be the same."""
    return spell_setting(value) != spell_setting(published)


def full_name(method: str, option: str) -> str:
    """The key of an option as `--set` names it: 'scn.margin_2', 'recipe.augment.erase'."""
    return option if option.startswith("recipe.") else f"{method}.{option}"


def describe_chosen(title: str, chosen: dict[str, Any], where: str) -> list[str]:
    """A line for each reason of a method's chosen settings."""
    reasons = dict.fromkeys(reason for _, reason in chosen.values())
    names = {
        why: ", ".join(f"{n} {value}" for n, (value, reason) in chosen.items() if reason == why) for why in reasons
    }
    return [f"{title}: {settings} ({where}{reason})" for reason, settings in names.items()]


def chosen_settings(card: dict[str, Any], scale: Scale) -> dict[str, Any]:
    """{key: value} that a method declares for shortened scales; empty where recipes stay as published."""
    if not scale.shortened:
        return {}
    return {full_name(card["name"], name): value for name, (value, _) in card["demo"].items()}


def method_parameters(
    card: dict[str, Any], method: str, mine: dict[str, str], chosen: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Parameters in published units, and {'method.name': text} of those that differ from the published ones."""
    published = {name: declared["default"] for name, declared in card["parameters"].items()}
    values = {name: chosen.get(f"{method}.{name}", value) for name, value in published.items()}
    for key, text in mine.items():
        name, option = key.split(".", 1)
        if name != method or option == "backbone":
            continue
        one_of(f"--set {key}={text}", f"parameter of {method}", option, [*values, "backbone"])
        values[option] = parse_override(key, text, published[option], card["parameters"][option]["type"])
    changed = {
        f"{method}.{name}": spell_setting(value) for name, value in values.items() if is_changed(value, published[name])
    }
    return values, changed
