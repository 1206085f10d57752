"""What planning needs to know of every method, as plain data, kept beside the records so that it needs no torch."""

import hashlib
import json
from pathlib import Path
from typing import Any

import methods
from benchmark.settings import Usage
from results.files import write_json


def read(results: Path, folders: tuple[Path, ...] = ()) -> dict[str, dict[str, Any]]:
    """{method name: card}; methods are imported only if one of their files has changed since the cards were kept."""
    text = hashlib.sha256()
    for path in [*sorted(Path(methods.__file__).parent.glob("*.py")), *methods.files(folders)]:
        text.update(path.name.encode() + b"\0" + path.read_bytes())
    for entry in methods.packages():
        text.update(f"{entry.name} {entry.value} {entry.dist and entry.dist.version}".encode())
    path = results / "cards" / f"{text.hexdigest()[:20]}.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        pass
    try:
        cards = {name: methods.card(method) for name, method in sorted(methods.classes(folders).items())}
    except (ValueError, TypeError, AttributeError) as error:
        raise Usage(f"--methods-path: {error}") from None
    try:
        write_json(path, cards)
    except OSError:
        pass  # a read-only results folder costs the time to import, nothing else
    return cards
