"""What the pages tell people to type: every command is one that its program takes, every link leads somewhere."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmark.__main__ import COMMANDS, MODULES
from benchmark.commands.options import parser
from benchmark.plan.experiments import find_experiment

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def commands(page: Path, program: str) -> list[list[str]]:
    """The words after each mention of a program in code, up to what ends a command in a shell."""
    text = re.sub(r"\\\n\s*", " ", page.read_text())
    code = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    code += [line for line in text.splitlines() if line.startswith("    ")]
    code += [line for block in re.findall(r"```(?:bash)?\n(.*?)```", text, re.S) for line in block.splitlines()]
    found = [line.split(program, 1)[1] for line in code if program in line]
    return [shlex.split(re.split(r"&&|\s{2,}| > |;|\s#\s", " ".join(text.split("\n")).strip())[0]) for text in found]


def named(pages: list[Path]) -> list:
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages]


@pytest.mark.parametrize("page", named([page for page in PAGES if commands(page, "run_all.py")]))
def test_each_run_all_command_of_a_page_is_one_that_it_takes(page: Path) -> None:
    for words in commands(page, "run_all.py"):
        if "..." in words or (words and not words[0].startswith("--")):
            continue  # a line about the file itself
        arguments = parser().parse_args(words)
        shown = [("table", name) for name in arguments.table] + [("figure", name) for name in arguments.figure]
        for kind, name in [(kind, name) for kind, names in shown for name in names.split("|")]:
            added = f'Experiment("{kind}", "{name}"' in page.read_text()  # by the page itself
            assert added or find_experiment(kind, name), f"{page.name}: there is no {kind} {name}"


@pytest.mark.parametrize("page", named([page for page in PAGES if commands(page, "python -m ")]))
def test_each_module_that_a_page_runs_is_there_with_the_options_named(page: Path) -> None:
    for module, *words in commands(page, "python -m "):
        if module.split(".")[0] not in ("benchmark", "performance"):
            continue
        if module == "benchmark" and not words:
            continue  # it lists the commands
        if module == "benchmark":
            assert words[0] in COMMANDS, f"{page.name}: there is no python -m benchmark {words}"
            module = f"benchmark.commands.{MODULES.get(words[0], words[0].replace('-', '_'))}"
        spec = find_spec(f"{module}.__main__") if find_spec(module).submodule_search_locations else find_spec(module)
        source = Path(spec.origin).read_text() + (ROOT / "benchmark" / "commands" / "named_data.py").read_text()
        for option in (word for word in words if word.startswith("--")):
            assert f'"{option}"' in source, f"{page.name}: {module} has no {option}"


@pytest.mark.parametrize("page", named(PAGES))
def test_each_link_of_a_page_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", re.sub(r"`[^`]*`", "", page.read_text())):
        assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"
