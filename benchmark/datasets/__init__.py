"""The data sets, one file each, found by looking: a new file with one `DataSet` subclass is a new data set."""

import inspect
from functools import lru_cache
from importlib import import_module
from pathlib import Path

NOT_DATA_SETS = {"__init__", "base", "points"}


@lru_cache
def classes(folders: tuple[Path, ...] = ()) -> dict[str, type]:
    """Every data set class by its name: this folder's own and those of `folders`."""
    from benchmark.datasets.base import DataSet
    from methods import load

    own = [p.stem for p in sorted(Path(__file__).parent.glob("*.py")) if p.stem not in NOT_DATA_SETS]
    modules = [import_module(f"benchmark.datasets.{stem}") for stem in own]
    modules += [
        load(path)
        for folder in folders
        for path in sorted(folder.resolve().glob("*.py"))
        if path.is_file() and "DataSet" in path.read_text(errors="replace")
    ]
    found: dict[str, type] = {}
    for module in modules:
        for value in vars(module).values():
            if not (inspect.isclass(value) and issubclass(value, DataSet) and "name" in vars(value)):
                continue
            if found.setdefault(value.name, value) is not value:
                raise ValueError(f"{inspect.getfile(value)}: the data set name {value.name!r} is taken; rename one")
    return found
