"""Labels as people write them turned into classes, and what cannot be a class."""

import difflib
import re
from collections.abc import Iterable

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.files import list_few
from noise.expressions import EIGHT, MISSPELT, ORDERS, WORDS, class_word

NUMBER = re.compile(r"\s*([+-]?[0-9]{1,9})(?:\.0*)?\s*", re.ASCII)
NOTHING = {"", "nan", "none", "null", "n/a", "na", "nil", "undefined", "-"}
AS_NAMED = "names"  # numbers that are the names of the classes
KNOWN = 3  # expressions among the classes from which on a near word is a misspelling


def interpret_labels(owner: str, labels: dict[str, Iterable[str]], order: str = "") -> tuple[dict[str, str], list[str]]:
    """{label as written: class} of the labels in each split, and notes on what was read as something else.

    order: what label numbers stand for ('rafdb', ...; 'names' to keep them). Raises DataError for numbers without an
    order, for labels that are none, for misspellings, and for a class that only one split has.
    """
    held = {split: sorted(set(words)) for split, words in labels.items()}
    written = sorted({label for words in held.values() for label in words})
    numbers = {} if order == AS_NAMED else {label: int(n[1]) for label in written if (n := NUMBER.fullmatch(label))}
    absent = [label for label in written if label.strip().lower() in NOTHING or numbers.get(label, 0) < 0]
    if absent:
        raise DataError(f"{owner}: label {absent[0]!r} is no class; fill it in or take these pictures out")
    if numbers and len(numbers) < len(written):
        word = next(label for label in written if label not in numbers)
        raise DataError(
            f"{owner}: some labels are numbers ({list_few(numbers)}) and some are words ({word}); write all of them in one way"
        )
    meaning = interpret_numbers(owner, numbers, order) if numbers else {label: class_word(label) for label in written}
    notes = note_doubtful_numbers(numbers, meaning, order) if numbers else []
    refuse_misspelt(owner, meaning)
    refuse_one_sided(owner, {split: {meaning[label] for label in words} for split, words in held.items()})
    spelt = {label: name for label, name in meaning.items() if label.strip().lower() in MISSPELT}
    if spelt:
        notes.append(list_few(f"{label!r} read as {name}" for label, name in spelt.items()))
    return meaning, notes


def interpret_numbers(owner: str, written: dict[str, int], order: str) -> dict[str, str]:
    """{number as written: class} by a named order; numbers begin at 0 or 1. written: {'3.0': 3, ...}."""
    if order not in ORDERS:
        raise DataError(
            f"{owner}: the classes are numbers ({list_few(written)}), which have no order of their own; say which: --set "
            f"folder.order={'|'.join(ORDERS)} (or {AS_NAMED}, to keep them as names); RAF-DB itself is --data rafdb=PATH"
        )
    numbers, names = sorted(set(written.values())), ORDERS[order]
    first = 0 if 0 in numbers else 1
    if max(numbers) - first >= len(names):
        raise DataError(f"{owner}: label {max(numbers)}; {order} has the numbers {first} to {len(names) - 1 + first}")
    if first and max(numbers) < len(names) and order != "rafdb":
        raise DataError(
            f"{owner}: labels {min(numbers)} to {max(numbers)} may begin at 0 or 1; name the classes instead: {list_few(names)}"
        )
    return {label: names[number - first] for label, number in written.items()}


def note_doubtful_numbers(numbers: dict[str, int], meaning: dict[str, str], order: str) -> list[str]:
    """A note on what numbers were read as, where they may have been counted from another one: RAF-DB's that are not
    1 to 7, and any that lack the first.
    """
    present = sorted(set(numbers.values()))
    first = 0 if 0 in present else 1
    if present[0] == first and (order != "rafdb" or present == list(range(1, len(ORDERS[order]) + 1))):
        return []
    names = {number: meaning[label] for label, number in numbers.items()}
    classes = ", ".join(names[number] for number in present)
    return [f"labels {present[0]} to {present[-1]} are read as {classes}, counted from {first}; is this their order?"]


def refuse_misspelt(owner: str, meaning: dict[str, str]) -> None:
    """Raises DataError for a class that is nearly an expression, among expressions."""
    expressions = [name for name in meaning.values() if name in EIGHT]
    words = [word for name in EIGHT for word in (name, *WORDS[name])]
    for label, name in meaning.items():
        near = difflib.get_close_matches(name, words, 1, 0.75) if name not in EIGHT else []
        if near and len(set(expressions)) >= KNOWN:
            raise DataError(f"{owner}: class {label!r}: did you mean {near[0]!r}? Rename it")


def refuse_one_sided(owner: str, classes: dict[str, set[str]]) -> None:
    """Raises DataError for a class that the training or the test pictures lack."""
    every = set().union(*classes.values())
    for split in ("train", "test"):
        for name in sorted(every - classes.get(split, set())):
            near = difflib.get_close_matches(name, [*sorted(classes.get(split, every) - {name}), *EIGHT], 1, 0.6)
            hint = f"did you mean {near[0]!r}? " if near and near[0] != name else ""
            raise DataError(
                f"{owner}: class {name!r} has no picture in {split}; {hint}Rename it, add pictures, or take the class out"
            )


def order_classes(owner: str, names: Iterable[str]) -> tuple[str, ...]:
    """Expressions in their usual order, any other classes sorted behind them."""
    found = set(names)
    if len(found) < 2:
        raise DataError(f"{owner}: only the class {list_few(found)}; expected at least two")
    return tuple(sorted(found, key=lambda c: (EIGHT.index(c) if c in EIGHT else len(EIGHT), c)))
