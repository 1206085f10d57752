"""The Pythons that are declared are those that something is tried on, and no file needs a newer one than the first."""

import ast
import configparser
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def declared() -> list[str]:
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "setup.cfg")
    return re.findall(r"Python :: (3\.\d+)", settings["metadata"]["classifiers"])


def test_what_is_declared_is_what_is_tried() -> None:
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "setup.cfg")
    first, *others = declared()
    assert settings["options"]["python_requires"] == f">={first}"
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"][
        "target-version"
    ] == "py" + first.replace(".", "")
    (told,) = re.findall(r"for build in .*# Python (.*)", (ROOT / ".ci" / "versions").read_text())
    assert others == told.split(", ")


def test_no_file_is_written_in_a_newer_grammar() -> None:
    version = tuple(map(int, declared()[0].split(".")))
    files = [
        path
        for folder in ("benchmark", "methods", "noise", "results", "reports", "performance", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert len(files) > 250
    for path in files:
        ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=version)
