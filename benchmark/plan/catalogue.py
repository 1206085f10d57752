"""What planning needs to know of every method, as plain data, kept beside the records so that it needs no torch."""

import dataclasses
import hashlib
import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import plugins, source_code
from benchmark.plan.overrides import annotation_text
from benchmark.source_code import hash_code
from benchmark.terminal import Usage, one_of
from methods.support.recipe import recipe_to_dict
from results.files import write_json

if TYPE_CHECKING:
    from methods.base import Method
Cards = dict[str, dict[str, Any]]


def read_catalogue(results: Path, folders: tuple[Path, ...] = ()) -> Cards:
    """{method name: card}; methods are imported only if a file that they are made of has changed since."""
    text = hashlib.sha256()
    for path in (Path(__file__), Path(source_code.__file__)):  # how a card is made
        text.update(path.read_bytes())
    own = [p for f in folders for p in f.glob("*.py") if p.is_file()]
    packaged = [path for entry in plugins.list_packages() for path in plugins.list_package_files(entry)]
    for path in sorted({*Path(plugins.ROOT, "methods").rglob("*.py"), *source_code.follow_imports(own), *packaged}):
        text.update(path.name.encode() + b"\0" + path.read_bytes())
    for entry in plugins.list_packages():
        text.update(f"{entry.name} {entry.value} {entry.dist and entry.dist.version}".encode())
    path = results / "cards" / f"{text.hexdigest()[:20]}.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        pass
    broken: dict[str, str] = {}
    cards: Cards = {}
    try:
        for name, method in sorted(plugins.find_methods(folders, broken).items()):
            try:
                cards[name] = method_info(method)
                json.dumps(cards[name])
            except (ValueError, TypeError, AttributeError) as error:
                cards.pop(name, None)
                broken[name] = f"{inspect.getfile(method)}: {method.__name__} is no whole method: {error}"
    except ValueError as error:
        raise Usage(f"--methods-path: {error}") from None
    cards |= {name: {"name": name, "broken": why} for name, why in broken.items() if name not in cards}
    try:
        if not broken:  # a package may be installed until next time
            write_json(path, cards)
    except OSError:
        pass  # a read-only results folder costs the time to import, nothing else
    return cards


def select_usable(cards: Cards, asked: list[str], folders: tuple[Path, ...]) -> Cards:
    """The methods that can be imported; raises Usage where one that cannot is asked for, warns of the others."""
    for path, why in plugins.find_unreadable(folders).items():
        if not set(asked) <= set(cards):
            raise Usage(f"--methods-path: {path}: cannot be imported: {why}")
        print(f"warning: {path} is passed over: {why}", file=sys.stderr)
    for name, found in cards.items():
        if "broken" in found and name in asked:
            raise Usage(f"--methods-path: {found['broken']}")
        if "broken" in found:
            print(f"warning: method {name} is passed over: {found['broken']}", file=sys.stderr)
    whole = {name: found for name, found in cards.items() if "broken" not in found}
    for name in asked:
        one_of("--methods", "method", name, whole, plugins.describe_folders(folders))
    return whole


def file_name(path: Path) -> str:
    """A method's file as it is named in messages: 'rul.py', 'lanet/method.py'."""
    home = plugins.ROOT / "methods"
    return str(path.relative_to(home)) if path.is_relative_to(home) else path.name


def method_info(method: "type[Method]") -> dict[str, Any]:
    """What planning needs to know of a method, as plain data, so that planning need not import torch."""
    parameters = {
        f.name: {"default": f.default, "type": annotation_text(f), "scales": f.metadata.get("scales")}
        for f in dataclasses.fields(method.Parameters)
    }
    for option in method.search:
        if option not in parameters and not option.startswith("recipe."):
            raise ValueError(
                f"search names {option}, which is no parameter and no recipe field ('recipe.augment.erase')"
            )
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
