"""What planning needs to know of every method, as plain data, kept beside the records so that it needs no torch."""

import dataclasses
import hashlib
import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import plugins, source_code
from benchmark.plan.overrides import annotation_text
from benchmark.source_code import hash_code
from benchmark.terminal import Usage, one_of, print_note
from methods.support.recipe import recipe_to_dict
from results.files import write_json

if TYPE_CHECKING:
    from methods.base import Method
Cards = dict[str, dict[str, Any]]


def read_catalogue(results: Path, folders: tuple[Path, ...] = ()) -> Cards:
    """{method name: card}; methods are imported only if a file that they are made of has changed since."""
    digest = hashlib.sha256()
    for path in (Path(__file__), Path(source_code.__file__)):  # how a card is made
        digest.update(path.read_bytes())
    own_files = [p for folder in folders for p in folder.glob("*.py") if p.is_file()]
    method_files = {*Path(plugins.ROOT, "methods").rglob("*.py"), *source_code.follow_imports(own_files)}
    for entry in plugins.list_packages():
        method_files |= set(plugins.list_package_files(entry))
    for path in sorted(method_files):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for entry in plugins.list_packages():
        digest.update(f"{entry.name} {entry.value} {entry.dist and entry.dist.version}".encode())
    path = results / "cards" / f"{digest.hexdigest()[:20]}.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        pass
    broken_reasons: dict[str, str] = {}
    cards: Cards = {}
    try:
        for name, method in sorted(plugins.find_methods(folders, broken_reasons).items()):
            try:
                cards[name] = method_info(method)
                json.dumps(cards[name])
            except (ValueError, TypeError, AttributeError) as error:
                cards.pop(name, None)
                broken_reasons[name] = f"{inspect.getfile(method)}: {method.__name__} is no whole method: {error}"
    except ValueError as error:
        raise Usage(f"--methods-path: {error}") from None
    cards |= {name: {"name": name, "broken": reason} for name, reason in broken_reasons.items() if name not in cards}
    try:
        if not broken_reasons:  # a package may be installed until next time
            write_json(path, cards)
    except OSError:
        pass  # a read-only results folder costs the time to import, nothing else
    return cards


def select_usable(cards: Cards, requested_methods: list[str], folders: tuple[Path, ...]) -> Cards:
    """The methods that can be imported; raises Usage where one that cannot is asked for, warns of the others."""
    for path, reason in plugins.find_unreadable(folders).items():
        if not set(requested_methods) <= set(cards):
            raise Usage(f"--methods-path: {path}: cannot be imported: {reason}")
        print_note(f"warning: {path} is passed over: {reason}")
    for name, card in cards.items():
        if "broken" in card and name in requested_methods:
            raise Usage(f"--methods-path: {card['broken']}")
        if "broken" in card:
            print_note(f"warning: method {name} is passed over: {card['broken']}")
    usable_cards = {name: card for name, card in cards.items() if "broken" not in card}
    for name in requested_methods:
        one_of("--methods", "method", name, usable_cards, plugins.describe_folders(folders))
    return usable_cards


def file_name(path: Path) -> str:
    """A method's file as it is named in messages: 'rul.py', 'lanet/method.py'."""
    methods_folder = plugins.ROOT / "methods"
    return str(path.relative_to(methods_folder)) if path.is_relative_to(methods_folder) else path.name


def method_info(method: "type[Method]") -> dict[str, Any]:
    """What planning needs to know of a method, as plain data, so that planning need not import torch."""
    parameters = {
        f.name: {"default": f.default, "type": annotation_text(f), "scales": f.metadata.get("scales")}
        for f in dataclasses.fields(method.Parameters)
    }
    for option in method.search:
        if option not in parameters and not option.startswith("recipe."):
            example = "'recipe.augment.erase'"
            raise ValueError(f"search names {option}, which is no parameter and no recipe field ({example})")
    return {
        "name": method.name,
        "title": getattr(method, "title", method.name),
        "source": method.source,
        "version": method.version,
        "needs_landmarks": method.needs_landmarks,
        "networks": method.networks,
        "recipe": recipe_to_dict(method.recipe),
        "as_published": recipe_to_dict(method.as_published) if method.as_published else None,
        "parameters": parameters,
        # Its own alone: settings that a search chose for the class that it inherits from are not its own (CLEX is an EAC).
        "demo": {key: list(value) for key, value in vars(method).get("demo", {}).items()},
        "mechanism": [dataclasses.asdict(curve) for curve in method.mechanism],
        "search": {option: recipe_to_dict(values) for option, values in method.search.items()},
        "file": file_name(Path(inspect.getfile(method))),
        "code": hash_code(method),
    }
