"""What people call the parts of a data set, and the files that systems leave beside pictures."""

SPLITS = {
    "train": "train training train_set trainset",
    "test": "test testing test_set testset privatetest",
    "valid": "val valid validation val_set valid_set validation_set publictest dev development eval evaluation",
}
SPLIT_OF = {word: split for split, words in SPLITS.items() for word in words.split()}
LITTER = {"__macosx", "@eadir", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information"}


def is_hidden(name: str) -> bool:
    """Whether a file or folder is a system's and nobody's picture: '.ipynb_checkpoints', '._x.jpg', '__MACOSX'."""
    return any(path_part.startswith(".") or path_part.lower() in LITTER for path_part in name.split("/"))


def find_split(word: str) -> str | None:
    """'train', 'test' or 'valid' for a name such as 'Training' or 'PrivateTest'."""
    return SPLIT_OF.get(word.strip().lower().replace("-", "_").replace(" ", "_"))
