"""Noise from a list: the given labels stand in a text file of `name label` rows, as published with other methods."""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np

from noise.base import Noise, NoiseError, Training
from noise.expressions import ORDERS, class_word

NAMES = {"image", "image_name", "img", "file", "file_name", "filename", "path", "name"}  # and its first
HEADS = {"label", "emotion", "class", "expression", "noisy_label"}  # what the second column of a first line is called

Row = tuple[int, str, str]  # (line number, image name, label as written)


class LabelFile(Noise):
    """A list with one row for each training image; further rows (of test images) are ignored.

    Labels are class names as people write them, or numbers from 0 or 1. Numbers have no order of their own: it is
    RAF-DB's for RAF-DB, and else named, in the list (`# order: ferplus`) or where it is typed (`file:PATH?order=ferplus`).
    A list that contradicts most of the labels, or whose numbers fit them better in another order, is refused, unless
    `?wrong=most` says that it is meant to.
    """

    name = "file"
    rated = False
    needs = ("names",)
    takes = "PATH"

    def __init__(self, argument: str = "") -> None:
        super().__init__(argument)
        path, _, option_text = (
            argument.partition("?") if re.search(r"\?(order|wrong)=[^?]*$", argument) else (argument, "", "")
        )
        self.path = path
        self.options = dict(parse_qsl(option_text, keep_blank_values=True))
        order = self.options.get("order")
        wrong_option = self.options.get("wrong", "most")
        if wrong_option != "most" or set(self.options) - {"order", "wrong"}:
            raise NoiseError(f"noise file {argument}: after '?' only order=NAME and wrong=most are known.")
        self._known_order(order)

    def identity(self) -> str:
        order = f"?order={self.options['order']}" if "order" in self.options else ""
        return f"file:{sha256(self._bytes() + order.encode()).hexdigest()[:16]}"

    def labels(self, data: Training, rate: float, seed: int) -> np.ndarray:
        if data.names is None:
            raise NoiseError("noise 'file' needs image names, which this data set lacks; use another kind.")
        rows, order = self._rows()
        image_rows = self._by_image(rows, [str(name) for name in data.names])
        has_numbers = re.fullmatch(r"[0-9]+", rows[0][2])
        if has_numbers:
            noisy_labels = self._from_numbers(rows, image_rows, order, data)
        else:
            noisy_labels = self._from_words(rows, image_rows, data.classes)
        agreed_share = float((noisy_labels == data.labels).mean())
        if agreed_share < 0.5 and "wrong" not in self.options:
            raise NoiseError(
                f"noise file {self.path}: contradicts {1 - agreed_share:.0%} of the data set's own labels; is this the list of "
                "another data set, or of another order of classes? If it is meant to be so wrong, write "
                f"file:{self._typed(wrong='most')}."
            )
        if has_numbers and "wrong" not in self.options:
            self._refuse_other_order(rows, image_rows, agreed_share, data)
        return noisy_labels

    def _typed(self, **options: str) -> str:
        return f"{self.path}?{'&'.join(f'{key}={value}' for key, value in (self.options | options).items())}"

    def _bytes(self) -> bytes:
        try:
            return Path(self.path).read_bytes()
        except OSError as error:
            raise NoiseError(f"noise file {self.path}: cannot be read ({error.strerror}); check it.") from error

    def _rows(self) -> tuple[list[Row], str | None]:
        """Every row, and the order of numbers that the list names."""
        try:
            content = self._bytes()
            is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            lines = content.decode("utf-16" if is_utf16 else "utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise NoiseError(f"noise file {self.path}: not a UTF-8 text file of 'name label' rows.") from error
        rows: list[Row] = []
        order = None
        for line_number, line in enumerate(lines, 1):
            if order_line := re.match(r"\s*#\s*order\s*[:=]\s*(\S+)", line, re.IGNORECASE):
                order = self._known_order(order_line[1].lower())
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            cells = split_line(line)
            if cells is None:
                raise self._error(line_number, f"expected 'name label', found '{line.strip()[:60]}'")
            if rows or not (cells[1].lower() in HEADS or cells[0].lower() in NAMES):
                label = re.sub(r"^([0-9]+)\.0+$", r"\1", cells[1])  # as spreadsheets write whole numbers
                rows.append((line_number, cells[0].replace("\\", "/"), label))
        if not rows:
            raise NoiseError(f"noise file {self.path}: no rows; expected one 'name label' row for each image.")
        return rows, self.options.get("order", order)

    def _known_order(self, order: str | None) -> str | None:
        if order is None or order in ORDERS:
            return order
        near_names = get_close_matches(order, ORDERS, 1)
        hint = f" (did you mean '{near_names[0]}'?)" if near_names else ""
        raise NoiseError(f"noise file {self.argument}: there is no order '{order}'{hint}. Known: {', '.join(ORDERS)}.")

    def _from_words(self, rows: list[Row], image_rows: list[Row], classes: tuple[str, ...]) -> np.ndarray:
        # Contempt is known where 7 classes are used.
        known_names = set(classes) | {name for order in ORDERS.values() for name in order}
        for line_number, _, label in rows:
            if label.lower() not in classes and class_word(label) not in known_names:
                raise self._error(line_number, f"label '{label}' is no class; classes: {', '.join(classes)}")
        labelled_lines = [
            (line_number, label.lower() if label.lower() in classes else class_word(label))
            for line_number, _, label in image_rows
        ]
        return self._places(labelled_lines, classes)

    def _places(self, labelled_lines: Iterable[tuple[int, str]], classes: tuple[str, ...]) -> np.ndarray:
        """[n] int64 numbers of the classes, from (line number, class name)."""
        class_numbers = {name: class_number for class_number, name in enumerate(classes)}
        for line_number, name in labelled_lines:
            if name not in class_numbers:
                raise self._error(line_number, f"'{name}' is no class of this data set; classes: {', '.join(classes)}")
        return np.array([class_numbers[name] for _, name in labelled_lines], np.int64)

    def _from_numbers(self, rows: list[Row], image_rows: list[Row], order: str | None, data: Training) -> np.ndarray:
        for line_number, _, label in rows:
            if not re.fullmatch(r"[0-9]+", label):
                raise self._error(
                    line_number, f"label '{label}' is not a number, as in line {rows[0][0]}; use one form"
                )
        order = order or ("rafdb" if data.dataset == "rafdb" else None)
        if order is None:
            raise self._error(
                rows[0][0], f"label numbers have no order of their own; {self._advice(rows, image_rows, data)}"
            )
        first_number = self._first_label(rows, ORDERS[order])
        try:
            labelled_lines = [
                (line_number, ORDERS[order][int(label) - first_number]) for line_number, _, label in image_rows
            ]
            return self._places(labelled_lines, data.classes)
        except NoiseError as error:
            raise NoiseError(f"{error} (numbers in the order of {order})") from None

    def _advice(self, rows: list[Row], image_rows: list[Row], data: Training) -> str:
        """How to name the order, and which one agrees best with the labels."""
        agreed_shares = self._agreed(rows, image_rows, data)
        if not agreed_shares:
            return f"write class names: {', '.join(data.classes)}"
        best_order = max(agreed_shares, key=lambda order: agreed_shares[order])
        return (
            f"write file:{self._typed(order='NAME')} with one of {', '.join(ORDERS)}, or '# order: NAME' in its first line "
            f"(most labels, {agreed_shares[best_order]:.0%}, agree if it is {best_order})"
        )

    def _agreed(self, rows: list[Row], image_rows: list[Row], data: Training) -> dict[str, float]:
        """{order: share of the data set's own labels that the list repeats if its numbers are in this order}."""
        agreed_shares = {}
        for order in ORDERS:
            try:
                listed_labels = self._from_numbers(rows, image_rows, order, data)
            except NoiseError:
                continue
            agreed_shares[order] = float((listed_labels == data.labels).mean())
        return agreed_shares

    def _refuse_other_order(self, rows: list[Row], image_rows: list[Row], agreed_share: float, data: Training) -> None:
        """Raises NoiseError where another order of the numbers fits the data set's own labels better than the one used."""
        agreed_shares = self._agreed(rows, image_rows, data)
        best_order = max(agreed_shares, key=lambda order: agreed_shares[order])
        if agreed_shares[best_order] > agreed_share:
            raise NoiseError(
                f"noise file {self.path}: {agreed_shares[best_order]:.0%} of the labels agree with the data set's own if the "
                f"numbers are in the order of {best_order}, {agreed_share:.0%} in the order that is used; "
                f"write file:{self._typed(order=best_order)}, or file:{self._typed(wrong='most')} if it is meant."
            )

    def _first_label(self, rows: list[Row], order: tuple[str, ...]) -> int:
        """0 for labels from 0, 1 for labels from 1; the whole file decides."""
        class_count = len(order)
        for line_number, _, label in rows:
            if int(label) > class_count:
                raise self._error(line_number, f"label {label} is outside 0..{class_count - 1} and 1..{class_count}")
        zero_line = next((line_number for line_number, _, label in rows if int(label) == 0), None)
        last_line = next((line_number for line_number, _, label in rows if int(label) == class_count), None)
        if zero_line and last_line:
            raise self._error(
                last_line,
                f"label {class_count}, but line {zero_line} has label 0; "
                f"number the classes 0..{class_count - 1} or 1..{class_count}",
            )
        if not zero_line and not last_line:
            raise NoiseError(
                f"noise file {self.path}: no label is 0 or {class_count}, so the numbers may mean "
                f"0..{class_count - 1} or 1..{class_count}; write class names instead."
            )
        return 0 if zero_line else 1

    def _by_image(self, rows: list[Row], names: list[str]) -> list[Row]:
        """The row of each image in `names`: by its whole name, else by its file name where that is the only such one."""
        images: dict[str, str] = {}
        for name in names:
            if images.setdefault(image_stem(name), name) != name:
                raise NoiseError(
                    f"noise file {self.path}: images '{images[image_stem(name)]}' and '{name}' cannot be told apart "
                    "in a list; rename one."
                )
        rows_by_stem = self._unique(rows, images, image_stem)
        if len(rows_by_stem) < len(images):
            file_counts = Counter(map(file_stem, images))
            unique_files = {file_stem(image): image for image in images if file_counts[file_stem(image)] == 1}
            if len(unique_files) == len(images):
                rows_by_file = self._unique(rows, unique_files, file_stem)
                if len(rows_by_file) > len(rows_by_stem):
                    rows_by_stem = {unique_files[key]: row for key, row in rows_by_file.items()}
        missing_names = [name for key, name in images.items() if key not in rows_by_stem]
        if missing_names:
            raise NoiseError(
                f"noise file {self.path}: {len(missing_names)} of {len(names)} training images have no row, the first is "
                f"'{missing_names[0]}', and a name in the list is '{rows[0][1]}'; add a row for each, by the data set's names."
            )
        return [rows_by_stem[key] for key in images]

    def _unique(self, rows: list[Row], images: dict[str, str], key: Callable[[str], str]) -> dict[str, Row]:
        """{key: row} of the rows that name one of the images; raises NoiseError where two do."""
        rows_by_key: dict[str, Row] = {}
        for row in rows:
            image_key = key(row[1])
            if image_key in rows_by_key:
                raise self._error(
                    row[0], f"image '{row[1]}' was already listed in line {rows_by_key[image_key][0]}; keep one row"
                )
            if image_key in images:
                rows_by_key[image_key] = row
        return rows_by_key

    def _error(self, line: int, message: str) -> NoiseError:
        return NoiseError(f"noise file {self.path}, line {line}: {message}.")


def split_line(line: str) -> tuple[str, str] | None:
    """The name and the label in a line; None where they cannot be told apart. A name may hold spaces before a tab, comma or
    semicolon.
    """
    spaced_words = line.split()
    name_match = re.fullmatch(r"(.*\.[A-Za-z]{2,4}\"?)\s*[,;\t]\s*([^,;\t]+)", line.strip())
    if name_match:
        return name_match[1].strip('"'), name_match[2].strip('"')
    if len(spaced_words) == 2:
        return spaced_words[0].rstrip(","), spaced_words[1]
    cells = [cell.strip().strip('"') for cell in line.split(next((mark for mark in "\t;" if mark in line), ","))]
    return (cells[0], cells[1]) if len(cells) == 2 and all(cells) else None


def image_stem(name: str) -> str:
    """An image's name, its accents spelt in one way (a Mac parts them), without ending and RAF-DB's mark of an aligned image."""
    name = unicodedata.normalize("NFC", name)
    return re.sub(r"\.(jpe?g|png|webp|bmp)$", "", name, flags=re.IGNORECASE).removesuffix("_aligned")


def file_stem(name: str) -> str:
    """The same without the folders in front."""
    return image_stem(name).rsplit("/", 1)[-1]
