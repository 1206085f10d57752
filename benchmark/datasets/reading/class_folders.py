"""Pictures in folders, `train/<class>/<picture>` and `test/<class>/<picture>`, as people name them."""

from pathlib import Path

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.files import Folder
from benchmark.datasets.reading.pictures import ENDINGS, is_picture
from benchmark.datasets.reading.splits import hidden, split_of

Listed = dict[str, list[tuple[str, str]]]  # {'train': [(file name, label)], 'test': ..., 'valid': ...}


def inner_folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not hidden(p.name)) if path.is_dir() else []


def split_folders(base: Path) -> dict[str, Path]:
    """{'train': folder, ...} of the folders that are named as splits; raises DataError where two are one split's."""
    found: dict[str, Path] = {}
    for folder in inner_folders(base):
        split = split_of(folder.name)
        if split in found:
            raise DataError(f"folder: {base}: {found[split].name}/ and {folder.name}/ are both {split}; keep one")
        if split:
            found[split] = folder
    return found


def has_splits(base: Path) -> bool:
    """Whether class folders lie in a training folder there."""
    train = split_folders(base).get("train")
    return train is not None and any(inner_folders(train))


def from_folders(owner: str, base: Path, unread: list[str]) -> Listed:
    """The pictures of each split; where there is no test split, the validation split is it. Other files go to `unread`."""
    folders = split_folders(base)
    if "test" not in folders and "valid" in folders:
        folders["test"] = folders.pop("valid")
    if "test" not in folders:
        raise DataError(f"{owner}: {base}: no folder test/ beside train/; move some pictures of each class there")
    found: Listed = {}
    for split, folder in folders.items():
        part = folder.name
        for name in sorted(Folder(owner, folder).names()):
            inner = name.split("/")
            if not is_picture(name):
                unread.append(f"{part}/{name}")
                continue
            if len(inner) != 2:
                raise DataError(f"{owner}: {folder / name}: expected {part}/<class name>/<picture>; move it there")
            found.setdefault(split, []).append((f"{part}/{name}", inner[0]))
        if split not in found and split != "valid":
            raise DataError(f"{owner}: {folder}: no pictures; expected <class name>/*{' or *'.join(ENDINGS[:4])}")
    return found
