"""Equal tuning: the settings that a search tries, the same number for every method.

Draw 0 is the method with its published settings. The others are points of a Sobol sequence, moved by an amount of each
option's own (Cranley and Patterson, 1976), so that the first draws of a larger search are those of a smaller one.
"""

from functools import lru_cache
from math import ceil, log2
from typing import Any

import numpy as np

from benchmark.plan.overrides import recipe_value, spell_setting
from benchmark.plan.recipes import full_name
from benchmark.scale import Scale
from methods.support.search import RANGES, Range
from results.job import stream_seed

RATE_FACTOR = 3.0  # the learning rate is drawn from a third of the recipe's to three times as much
LEARNING_RATE = "recipe.lr"
HEAD_RATE = "recipe.head_lr"


def draw_settings(card: dict[str, Any], scale: Scale, number: int, learning_rate: bool) -> dict[str, str]:
    """What draw `number` of a method sets, as `--set` would: {'scn.margin_2': '0.43'}; empty for draw 0.

    learning_rate: the recipe's rate is drawn too. Values have three digits, so that every platform names the same jobs.
    """
    if number == 0:
        return {}
    option_ranges = search_space(card)
    position = move_point(card["name"], [*option_ranges, LEARNING_RATE], number)
    settings = {key: spell_setting(values.value(position[key])) for key, values in option_ranges.items()}
    if learning_rate:
        factor = RATE_FACTOR ** (2 * position[LEARNING_RATE] - 1)
        settings |= scaled_rates(scale.applied(card["recipe"], "")["optimiser"], factor)
    return settings


def published_settings(card: dict[str, Any], scale: Scale, learning_rate: bool) -> dict[str, str]:
    """The published value of every option that is drawn, for tables and figures."""
    recipe = scale.applied(card["recipe"], "")
    settings = {}
    for key in search_space(card):
        name, option = key.split(".", 1)
        published = recipe_value(recipe, option) if name == "recipe" else card["parameters"][option]["default"]
        settings[key] = spell_setting(published)
    return settings | (scaled_rates(recipe["optimiser"], 1.0) if learning_rate else {})


def search_space(card: dict[str, Any]) -> dict[str, Range]:
    """The options that are drawn beside the learning rate, in the order in which the method declares them."""
    option_ranges = {}
    for option, declared in card["search"].items():
        bounds = {name: value for name, value in declared.items() if name != "kind"}
        option_ranges[full_name(card["name"], option)] = RANGES[declared["kind"]](**bounds)
    return option_ranges


def scaled_rates(optimiser: dict[str, Any], factor: float) -> dict[str, str]:
    """The learning rates of a recipe times a factor; the heads' own rate keeps its ratio to the other."""
    rates = {LEARNING_RATE: optimiser["lr"], HEAD_RATE: optimiser.get("head_lr")}
    return {key: format(rate * factor, ".3g") for key, rate in rates.items() if rate is not None}


def move_point(method: str, keys: list[str], number: int) -> dict[str, float]:
    """Where a draw lies in each option's range, 0 to 1."""
    point = sobol_points(len(keys), ceil(log2(number + 1)))[number]
    shifts = [stream_seed("tuning", method, key) / 2**63 for key in keys]
    return {key: float((coordinate + shift) % 1) for key, coordinate, shift in zip(keys, point, shifts, strict=True)}


@lru_cache
def sobol_points(dimensions: int, power: int) -> np.ndarray:
    """[2 ** power, dimensions] in 0 to 1, without a random number."""
    from scipy.stats.qmc import Sobol

    return Sobol(dimensions, scramble=False).random_base2(power)
