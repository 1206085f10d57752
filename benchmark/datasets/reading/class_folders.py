"""Pictures in folders, `train/<class>/<picture>` and `test/<class>/<picture>`, as people name them."""

from pathlib import Path

from benchmark.datasets.base import DataError
from benchmark.datasets.reading.files import Folder
from benchmark.datasets.reading.pictures import ENDINGS, is_picture
from benchmark.datasets.reading.splits import find_split, is_hidden

PACKED = ("zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "rar", "7z")
LabelledFiles = dict[str, list[tuple[str, str]]]  # {'train': [(file name, label)], 'test': ..., 'valid': ...}


def list_inner_folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not is_hidden(p.name)) if path.is_dir() else []


def find_split_folders(base: Path) -> dict[str, Path]:
    """{'train': folder, ...} of the folders that are named as splits; raises DataError where two are one split's."""
    found: dict[str, Path] = {}
    for folder in list_inner_folders(base):
        split = find_split(folder.name)
        if split in found:
            raise DataError(f"folder: {base}: {found[split].name}/ and {folder.name}/ are both {split}; keep one")
        if split:
            found[split] = find_innermost(folder, split)
    return found


def find_innermost(folder: Path, split: str) -> Path:
    """The folder itself, or the last of train/train/..., as archives leave them."""
    below = list_inner_folders(folder)
    return find_innermost(below[0], split) if len(below) == 1 and find_split(below[0].name) == split else folder


def holds_class_folders(base: Path) -> bool:
    """Whether class folders lie in a training folder there, and not one folder of pictures beside a list of them."""
    train = find_split_folders(base).get("train")
    below = list_inner_folders(train) if train else []
    return bool(below) and not (len(below) == 1 and train and (train / "metadata.csv").is_file())


def read_class_folders(owner: str, base: Path, unread: list[str]) -> LabelledFiles:
    """The pictures of each split; where there is no test split, the validation split is it. Other files go to `unread`."""
    folders = find_split_folders(base)
    if "test" not in folders and "valid" in folders:
        folders["test"] = folders.pop("valid")
    if "test" not in folders:
        raise DataError(f"{owner}: {base}: no folder test/ beside train/; move some pictures of each class there")
    found: LabelledFiles = {}
    unread += find_outside(owner, base, {folder.relative_to(base).parts[0] for folder in folders.values()})
    for split, folder in folders.items():
        part = folder.relative_to(base).as_posix()
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


def find_outside(owner: str, base: Path, parts: set[str]) -> list[str]:
    """Pictures below `base` that lie in none of these folders, and archives of further splits."""
    files = [p.name for p in sorted(base.iterdir()) if p.is_file() and not is_hidden(p.name)]
    found = [name for name in files if is_picture(name) or is_packed_split(name, parts)]
    for folder in list_inner_folders(base):
        if folder.name not in parts:
            found += [f"{folder.name}/{n}" for n in sorted(Folder(owner, folder).names()) if is_picture(n)]
    return found


def is_packed_split(name: str, parts: set[str]) -> bool:
    """Whether a file is the archive of a split of which there is no folder."""
    stem, _, ending = name.partition(".")
    unpacked = {find_split(part) for part in parts}
    return ending.lower() in PACKED and find_split(stem) is not None and find_split(stem) not in unpacked
