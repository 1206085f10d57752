"""Labels as people write them turned into classes, and what cannot be a class."""

import difflib
import re
from collections.abc import Iterable

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.files import list_few
from noise.expressions import EIGHT, MISSPELT, ORDERS, WORDS, class_word

NUMBER = re.compile(r"\s*([+-]?[0-9]{1,9})(?:[.,]0*)?\s*", re.ASCII)
NOTHING = {"", "nan", "none", "null", "n/a", "na", "nil", "undefined", "-"}
AS_NAMED = "names"  # numbers that are the names of the classes
KNOWN = 3  # expressions among the classes from which on a near word is a misspelling


def interpret_labels(owner: str, labels: dict[str, Iterable[str]], order: str = "") -> tuple[dict[str, str], list[str]]:
    """{label as written: class} of the labels in each split, and notes on what was read as something else.

    order: what label numbers stand for ('rafdb', ...; 'names' to keep them). Raises DataError for numbers without an
    order, for labels that are none, for misspellings, and for a class that only one split has.
    """
    labels_by_split = {split: set(words) for split, words in labels.items()}
    written_labels = sorted(set().union(*labels_by_split.values()))
    matches = {label: NUMBER.fullmatch(label) for label in written_labels if order != AS_NAMED}
    label_numbers = {label: int(match[1]) for label, match in matches.items() if match}
    for label in written_labels:
        if label.strip().lower() in NOTHING or label_numbers.get(label, 0) < 0:
            raise DataError(f"{owner}: label {label!r} is no class; fill it in or take these pictures out")
    if label_numbers and len(label_numbers) < len(written_labels):
        word_label = next(label for label in written_labels if label not in label_numbers)
        raise DataError(
            f"{owner}: some labels are numbers ({list_few(label_numbers)}) "
            f"and some are words ({word_label}); write all of them in one way"
        )
    class_by_label = {label: class_word(label) for label in written_labels}
    notes = []
    if label_numbers:
        class_by_label, notes = interpret_numbers(owner, label_numbers, order)
    refuse_misspelt(owner, class_by_label)
    refuse_one_sided(owner, {split: {class_by_label[w] for w in words} for split, words in labels_by_split.items()})
    misspelt_labels = {label: name for label, name in class_by_label.items() if label.strip().lower() in MISSPELT}
    if misspelt_labels:
        notes.append(list_few(f"{label!r} read as {name}" for label, name in misspelt_labels.items()))
    return class_by_label, notes


def interpret_numbers(owner: str, label_numbers: dict[str, int], order: str) -> tuple[dict[str, str], list[str]]:
    """{number as written: class} by a named order; numbers begin at 0 or 1. label_numbers: {'3.0': 3, ...}.

    A note says what they were read as where they may have been counted from another number: RAF-DB's that are not 1 to 7,
    and any that lack the first.
    """
    if order not in ORDERS:
        raise DataError(
            f"{owner}: the classes are numbers ({list_few(label_numbers)}), which have no order of their own; say which: --set "
            f"folder.order={'|'.join(ORDERS)} (or {AS_NAMED}, to keep them as names); RAF-DB itself is --data rafdb=PATH"
        )
    present_numbers = sorted(set(label_numbers.values()))
    smallest = present_numbers[0]
    largest = present_numbers[-1]
    names = ORDERS[order]
    first = 0 if smallest == 0 else 1
    if largest - first >= len(names):
        raise DataError(f"{owner}: label {largest}; {order} has the numbers {first} to {len(names) - 1 + first}")
    if first and largest < len(names) and order != "rafdb":
        raise DataError(
            f"{owner}: labels {smallest} to {largest} may begin at 0 or 1; name the classes instead: {list_few(names)}"
        )
    number_notes = []
    if smallest != first or (order == "rafdb" and present_numbers != list(range(1, len(names) + 1))):
        classes_text = ", ".join(names[number - first] for number in present_numbers)
        labels_text = f"labels {smallest} to {largest} are read as {classes_text}"
        number_notes.append(f"{labels_text}, counted from {first}; is this their order?")
    return {label: names[number - first] for label, number in label_numbers.items()}, number_notes


def refuse_misspelt(owner: str, class_by_label: dict[str, str]) -> None:
    """Raises DataError for a class that is nearly an expression, among expressions."""
    expressions = [name for name in class_by_label.values() if name in EIGHT]
    known_words = [word for name in EIGHT for word in (name, *WORDS[name])]
    for label, name in class_by_label.items():
        near_words = difflib.get_close_matches(name, known_words, 1, 0.75) if name not in EIGHT else []
        if near_words and len(set(expressions)) >= KNOWN:
            raise DataError(f"{owner}: class {label!r}: did you mean {near_words[0]!r}? Rename it")


def refuse_one_sided(owner: str, classes_by_split: dict[str, set[str]]) -> None:
    """Raises DataError for a class that the training or the test pictures lack."""
    every_class = set().union(*classes_by_split.values())
    for split in ("train", "test"):
        for name in sorted(every_class - classes_by_split.get(split, set())):
            near_names = difflib.get_close_matches(
                name, [*sorted(classes_by_split.get(split, every_class) - {name}), *EIGHT], 1, 0.6
            )
            hint = f"did you mean {near_names[0]!r}? " if near_names and near_names[0] != name else ""
            raise DataError(
                f"{owner}: class {name!r} has no picture in {split}; {hint}rename it, add pictures, or take the class out"
            )


def order_classes(owner: str, names: Iterable[str]) -> tuple[str, ...]:
    """Expressions in their usual order, any other classes sorted behind them."""
    class_names = set(names)
    if len(class_names) < 2:
        raise DataError(f"{owner}: only the class {list_few(class_names)}; expected at least two")
    return (*(name for name in EIGHT if name in class_names), *sorted(class_names.difference(EIGHT)))
