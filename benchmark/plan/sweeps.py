"""`--sweep NAME.option=V1,V2,...`: one option at several values, as a figure. Figures 1, tau and omega are sweeps with a name."""

import copy
import re
from typing import Any

from benchmark.plan.catalogue import Cards
from benchmark.plan.experiments import PAPER_FIVE, RATES, Experiment, Row
from benchmark.plan.overrides import full_option_name, parse_override, parse_sets, recipe_value, set_path, spell_setting
from benchmark.plan.recipes import chosen_settings, resolve_recipe
from benchmark.plan.request import Request
from benchmark.scale import Scale
from benchmark.terminal import Usage, one_of
from results.job import json_digest

LONGEST = 100  # letters of a figure's name


def make_sweep(
    text: str, cards: Cards, methods: list[str] | None, sets: dict[str, str], scale: Scale, preset: str
) -> Experiment:
    """The figure that `--sweep TEXT` asks for; raises Usage for what `--set` refuses.

    cards: {method name: what planning knows of it}. methods: those that were named, for an option of all methods. sets: what
    `--set` changes beside it.
    """
    typed_key, values = parse_sweep(text, cards)
    key = typed_key
    name, _, option = key.partition(".")
    method_names = [name] if name in cards else methods or list(PAPER_FIVE)
    if option in ("backbone", "name") and name != "recipe":
        key = "recipe.backbone"
    elif name in ("recipe", "backbone"):
        key = f"recipe.{full_option_name(option)}"
    set_options = [set_key.split(".", 1) for set_key in sets]
    if key in {f"{set_name}.{full_option_name(set_option)}" for set_name, set_option in set_options}:
        raise Usage(f"--sweep {text}: --set gives {key} one value; leave one of them out")
    try:
        for value in values:
            parse_sets([f"{typed_key}={value}"], cards, {})
            for method in method_names:
                resolve_recipe(cards, method, sets | {key: value}, scale, preset, "", images=1000)
        spellings = list(dict.fromkeys(spell_value(cards[method_names[0]], scale, key, value) for value in values))
    except Usage as error:
        raise Usage(f"{error}".replace("--set", "--sweep", 1)) from None
    if len(spellings) < 2:
        raise Usage(f"--sweep {text}: give two different values or more, between commas")
    return Experiment(
        "figure",
        name_figure(key, spellings, methods if name not in cards else None),
        f"Accuracy against {key}",
        {"asymmetric": RATES},
        tuple(
            Row(method, {key: value}, f"{cards[method]['title']}: {key}={value}", swept=key)
            for method in method_names
            for value in spellings
        ),
        drawing="sweep",
        fixed_rows=True,
    )


def parse_sweep(text: str, cards: Cards) -> tuple[str, list[str]]:
    """The option and the values as typed; lists stand between semicolons. Raises Usage."""
    key, equals, values = text.partition("=")
    if not equals or "." not in key:
        raise Usage(f"--sweep {text}: expected NAME.option=V1,V2,..., for example lanet.confidence=0.5,0.7,0.9")
    one_of(f"--sweep {text}", "method, 'recipe' or 'backbone'", key.partition(".")[0], [*cards, "recipe", "backbone"])
    return key, [value.strip() for value in values.split(";" if ";" in values else ",")]


def spell_value(card: dict[str, Any], scale: Scale, key: str, text: str) -> str:
    """A value as identities and figures spell it: '0.50' is '0.5'; raises Usage."""
    name, option = key.split(".", 1)
    if name == "recipe":
        recipe = copy.deepcopy(scale.applied(card["recipe"], ""))
        default_value, parsed_value = set_path(recipe, key, option, text)
    else:
        parameter = card["parameters"][option]
        default_value = parameter["default"]
        parsed_value = parse_override(key, text, parameter["default"], parameter["type"])
    is_list = isinstance(default_value, list | tuple) and isinstance(parsed_value, list)
    if is_list and len(parsed_value) != len(default_value):
        fix_hint = "put ';' between the values of a sweep of lists"
        raise Usage(f"--set {key}={text}: expected {len(default_value)} numbers; {fix_hint}")
    return spell_setting(parsed_value)


def name_figure(key: str, values: list[str], methods: list[str] | None) -> str:
    """The sweep as a file's name: two sweeps have two names."""
    full_name = "_".join([key, *values, *(methods or [])])
    name = re.sub(r"[^\w.+-]+", "-", full_name)
    if name != full_name or len(name) > LONGEST:
        name = f"{name[:LONGEST]}_{json_digest(full_name, 6)}"
    return f"sweep_{name}"


def find_marks(request: Request, row: Row, dataset: str) -> dict[str, str]:
    """The values of a swept option that a figure marks: {'published': '0.7', 'chosen': '0.46'}.

    Of the recipe at a shortened scale the scale's own is marked, since the published one is of a longer run.
    """
    if not row.swept:
        return {}
    card = request.cards[row.method]
    scale = request.scale
    name, option = row.swept.split(".", 1)
    if name == "recipe":
        published_recipe = (request.preset == "as_published" and card["as_published"]) or card["recipe"]
        mark_name = "scale" if scale.shortened else "published"
        marks = {mark_name: spell_setting(recipe_value(scale.applied(published_recipe, dataset), option))}
    else:
        marks = {"published": spell_setting(card["parameters"][option]["default"])}
    chosen_values = {} if request.published_settings else chosen_settings(card, scale)
    if row.swept in chosen_values:
        marks["chosen"] = spell_setting(chosen_values[row.swept])
    return marks
