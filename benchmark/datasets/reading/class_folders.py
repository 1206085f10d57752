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
    folder_by_split: dict[str, Path] = {}
    for folder in list_inner_folders(base):
        split = find_split(folder.name)
        if split in folder_by_split:
            two_names = f"{folder_by_split[split].name}/ and {folder.name}/"
            raise DataError(f"folder: {base}: {two_names} are both {split}; keep one")
        if split:
            folder_by_split[split] = find_innermost(folder, split)
    return folder_by_split


def find_innermost(folder: Path, split: str) -> Path:
    """The folder itself, or the last of train/train/..., as archives leave them."""
    inner_folders = list_inner_folders(folder)
    is_nested = len(inner_folders) == 1 and find_split(inner_folders[0].name) == split
    return find_innermost(inner_folders[0], split) if is_nested else folder


def holds_class_folders(base: Path) -> bool:
    """Whether class folders lie in a training folder there, and not one folder of pictures beside a list of them."""
    train_folder = find_split_folders(base).get("train")
    class_folders = list_inner_folders(train_folder) if train_folder else []
    return len(class_folders) > 1 or (bool(class_folders) and not (train_folder / "metadata.csv").is_file())


def read_class_folders(owner: str, base: Path, unread_files: list[str]) -> LabelledFiles:
    """The pictures of each split; where there is no test split, the validation split is it. Other files go to `unread_files`."""
    folders = find_split_folders(base)
    if "test" not in folders and "valid" in folders:
        folders["test"] = folders.pop("valid")
    if "test" not in folders:
        raise DataError(f"{owner}: {base}: no folder test/ beside train/; move some pictures of each class there")
    labelled_files: LabelledFiles = {}
    unread_files += find_outside(owner, base, {folder.relative_to(base).parts[0] for folder in folders.values()})
    for split, folder in folders.items():
        folder_name = folder.relative_to(base).as_posix()
        for name in sorted(Folder(owner, folder).names()):
            path_parts = name.split("/")
            if not is_picture(name):
                unread_files.append(f"{folder_name}/{name}")
                continue
            if len(path_parts) != 2:
                raise DataError(
                    f"{owner}: {folder / name}: expected {folder_name}/<class name>/<picture>; move it there"
                )
            labelled_files.setdefault(split, []).append((f"{folder_name}/{name}", path_parts[0]))
        if split not in labelled_files and split != "valid":
            raise DataError(f"{owner}: {folder}: no pictures; expected <class name>/*{' or *'.join(ENDINGS[:4])}")
    return labelled_files


def find_outside(owner: str, base: Path, split_parts: set[str]) -> list[str]:
    """Pictures below `base` that lie in none of these folders, and archives of further splits."""
    file_names = [path.name for path in sorted(base.iterdir()) if path.is_file() and not is_hidden(path.name)]
    outside_files = [name for name in file_names if is_picture(name) or is_packed_split(name, split_parts)]
    for folder in list_inner_folders(base):
        if folder.name not in split_parts:
            outside_files += [f"{folder.name}/{n}" for n in sorted(Folder(owner, folder).names()) if is_picture(n)]
    return outside_files


def is_packed_split(name: str, split_parts: set[str]) -> bool:
    """Whether a file is the archive of a split of which there is no folder."""
    stem, _, ending = name.partition(".")
    unpacked_splits = {find_split(split_part) for split_part in split_parts}
    return ending.lower() in PACKED and find_split(stem) is not None and find_split(stem) not in unpacked_splits
