"""What methods are made of lies apart from them: it is no method, it counts in their code, and base.py hands it on."""

import re
from pathlib import Path

import pytest

import methods.base
from benchmark import plugins
from benchmark.plugins import find_definitions
from benchmark.source_code import ROOT, follow_imports, hash_code, hash_statements

SUPPORT = ROOT / "methods" / "support"
METHOD_FILES = sorted({found.file for found in find_definitions() if found.kind == "method"})


def test_no_file_of_support_is_taken_for_a_method() -> None:
    assert len(METHOD_FILES) > 20
    assert not [path for path in METHOD_FILES if path.is_relative_to(SUPPORT)]
    assert not [cls for cls in plugins.find_methods().values() if ".support" in cls.__module__]


@pytest.mark.parametrize("path", METHOD_FILES, ids=lambda path: path.relative_to(ROOT / "methods").as_posix())
def test_the_code_of_a_method_covers_what_base_hands_on(path: Path) -> None:
    assert {SUPPORT / name for name in ("recipe.py", "backbones.py", "average.py")} <= follow_imports([path])


def test_a_changed_file_of_support_changes_the_code_of_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    before = hash_code(plugins.find_method("baseline"))
    files = follow_imports([ROOT / "methods" / "baseline.py"])
    monkeypatch.setattr("benchmark.source_code.follow_imports", lambda start: files - {SUPPORT / "backbones.py"})
    hash_statements.cache_clear()
    assert hash_code(plugins.find_method("baseline")) != before
    hash_statements.cache_clear()


def test_the_projects_methods_import_what_they_are_made_of_from_base_alone() -> None:
    texts = {path: path.read_text() for path in (ROOT / "methods").rglob("*.py") if not path.is_relative_to(SUPPORT)}
    taken = [path.name for path, text in texts.items() if re.search(r"^(from|import) methods\.support", text, re.M)]
    assert taken == ["base.py"]
    assert all(hasattr(methods.base, name) for name in methods.base.__all__)
