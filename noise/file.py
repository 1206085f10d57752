"""Noise from a list: the given labels stand in a text file of `name label` rows, as published with other methods."""

import codecs
import re
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
        path, _, text = (
            argument.partition("?") if re.search(r"\?(order|wrong)=[^?]*$", argument) else (argument, "", "")
        )
        self.path, self.options = path, dict(parse_qsl(text, keep_blank_values=True))
        order, wrong = self.options.get("order"), self.options.get("wrong", "most")
        if wrong != "most" or set(self.options) - {"order", "wrong"}:
            raise NoiseError(f"noise file {argument}: after '?' only order=NAME and wrong=most are known.")
        self._known_order(order)

    def identity(self) -> str:
        order = f"?order={self.options['order']}" if "order" in self.options else ""
        return f"file:{sha256(self._bytes() + order.encode()).hexdigest()[:16]}"

    def labels(self, data: Training, rate: float, seed: int) -> np.ndarray:
        if data.names is None:
            raise NoiseError("noise 'file' needs image names, which this data set lacks; use another kind.")
        rows, order = self._rows()
        given = self._by_image(rows, [str(name) for name in data.names])
        numbered = re.fullmatch(r"[0-9]+", rows[0][2])
        found = (
            self._from_numbers(rows, given, order, data) if numbered else self._from_words(rows, given, data.classes)
        )
        agreed = float((found == data.labels).mean())
        if agreed < 0.5 and "wrong" not in self.options:
            raise NoiseError(
                f"noise file {self.path}: contradicts {1 - agreed:.0%} of the data set's own labels; is this the list of "
                "another data set, or of another order of classes? If it is meant to be so wrong, write "
                f"file:{self._typed(wrong='most')}."
            )
        if numbered and "wrong" not in self.options:
            self._refuse_other_order(rows, given, agreed, data)
        return found

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
            sixteen = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            lines = content.decode("utf-16" if sixteen else "utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise NoiseError(f"noise file {self.path}: not a UTF-8 text file of 'name label' rows.") from error
        rows: list[Row] = []
        order = None
        for number, line in enumerate(lines, 1):
            if named := re.match(r"\s*#\s*order\s*[:=]\s*(\S+)", line, re.IGNORECASE):
                order = self._known_order(named[1].lower())
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            cells = split_line(line)
            if cells is None:
                raise self._error(number, f"expected 'name label', found '{line.strip()[:60]}'")
            if rows or not (cells[1].lower() in HEADS or cells[0].lower() in NAMES):
                label = re.sub(r"^([0-9]+)\.0+$", r"\1", cells[1])  # as spreadsheets write whole numbers
                rows.append((number, cells[0].replace("\\", "/"), label))
        if not rows:
            raise NoiseError(f"noise file {self.path}: no rows; expected one 'name label' row for each image.")
        return rows, self.options.get("order", order)

    def _known_order(self, order: str | None) -> str | None:
        if order is None or order in ORDERS:
            return order
        near = get_close_matches(order, ORDERS, 1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise NoiseError(f"noise file {self.argument}: there is no order '{order}'{hint}. Known: {', '.join(ORDERS)}.")

    def _from_words(self, rows: list[Row], given: list[Row], classes: tuple[str, ...]) -> np.ndarray:
        known = set(classes) | {
            name for order in ORDERS.values() for name in order
        }  # contempt, where 7 classes are used
        for number, _, label in rows:
            if label.lower() not in classes and class_word(label) not in known:
                raise self._error(number, f"label '{label}' is no class; classes: {', '.join(classes)}")
        found = [
            (number, label.lower() if label.lower() in classes else class_word(label)) for number, _, label in given
        ]
        return self._places(found, classes)

    def _places(self, found: Iterable[tuple[int, str]], classes: tuple[str, ...]) -> np.ndarray:
        """[n] int64 places among the classes of (line number, class name)."""
        places = {name: place for place, name in enumerate(classes)}
        for number, name in found:
            if name not in places:
                raise self._error(number, f"'{name}' is no class of this data set; classes: {', '.join(classes)}")
        return np.array([places[name] for _, name in found], np.int64)

    def _from_numbers(self, rows: list[Row], given: list[Row], order: str | None, data: Training) -> np.ndarray:
        for number, _, label in rows:
            if not re.fullmatch(r"[0-9]+", label):
                raise self._error(number, f"label '{label}' is not a number, as in line {rows[0][0]}; use one form")
        order = order or ("rafdb" if data.dataset == "rafdb" else None)
        if order is None:
            raise self._error(
                rows[0][0], f"label numbers have no order of their own; {self._advice(rows, given, data)}"
            )
        first = self._first_label(rows, ORDERS[order])
        try:
            return self._places([(n, ORDERS[order][int(label) - first]) for n, _, label in given], data.classes)
        except NoiseError as error:
            raise NoiseError(f"{error} (numbers in the order of {order})") from None

    def _advice(self, rows: list[Row], given: list[Row], data: Training) -> str:
        """How to name the order, and which one agrees best with the labels."""
        agreed = self._agreed(rows, given, data)
        if not agreed:
            return f"write class names: {', '.join(data.classes)}"
        best = max(agreed, key=lambda order: agreed[order])
        how = f"write file:{self._typed(order='NAME')} with one of {', '.join(ORDERS)}, or '# order: NAME' in its first line"
        return f"{how} (most labels, {agreed[best]:.0%}, agree if it is {best})"

    def _agreed(self, rows: list[Row], given: list[Row], data: Training) -> dict[str, float]:
        """{order: share of the data set's own labels that the list repeats if its numbers are in this order}."""
        agreed = {}
        for order in ORDERS:
            try:
                found = self._from_numbers(rows, given, order, data)
            except NoiseError:
                continue
            agreed[order] = float((found == data.labels).mean())
        return agreed

    def _refuse_other_order(self, rows: list[Row], given: list[Row], agreed: float, data: Training) -> None:
        """Raises NoiseError where another order of the numbers fits the data set's own labels better than the one used."""
        others = self._agreed(rows, given, data)
        best = max(others, key=lambda order: others[order])
        if others[best] > agreed:
            raise NoiseError(
                f"noise file {self.path}: {others[best]:.0%} of the labels agree with the data set's own if the numbers are in "
                f"the order of {best}, {agreed:.0%} in the order that is used; write file:{self._typed(order=best)}, or "
                f"file:{self._typed(wrong='most')} if it is meant."
            )

    def _first_label(self, rows: list[Row], order: tuple[str, ...]) -> int:
        """0 for labels from 0, 1 for labels from 1; the whole file decides."""
        last = len(order)
        for number, _, label in rows:
            if int(label) > last:
                raise self._error(number, f"label {label} is outside 0..{last - 1} and 1..{last}")
        zero = next((number for number, _, label in rows if int(label) == 0), None)
        end = next((number for number, _, label in rows if int(label) == last), None)
        if zero and end:
            raise self._error(
                end, f"label {last}, but line {zero} has label 0; number the classes 0..{last - 1} or 1..{last}"
            )
        if not zero and not end:
            raise NoiseError(
                f"noise file {self.path}: no label is 0 or {last}, so the numbers may mean 0..{last - 1} or 1..{last}; "
                "write class names instead."
            )
        return 0 if zero else 1

    def _by_image(self, rows: list[Row], names: list[str]) -> list[Row]:
        """The row of each image in `names`: by its whole name, else by its file name where that is the only such one."""
        images: dict[str, str] = {}
        for name in names:
            if images.setdefault(image_stem(name), name) != name:
                raise NoiseError(
                    f"noise file {self.path}: images '{images[image_stem(name)]}' and '{name}' cannot be told apart "
                    "in a list; rename one."
                )
        given = self._unique(rows, images, image_stem)
        if len(given) < len(images):
            counts = Counter(map(file_stem, images))
            short = {file_stem(image): image for image in images if counts[file_stem(image)] == 1}
            if len(short) == len(images):
                by_file = self._unique(rows, short, file_stem)
                given = {short[key]: row for key, row in by_file.items()} if len(by_file) > len(given) else given
        missing = [name for key, name in images.items() if key not in given]
        if missing:
            raise NoiseError(
                f"noise file {self.path}: {len(missing)} of {len(names)} training images have no row, the first is "
                f"'{missing[0]}', and a name in the list is '{rows[0][1]}'; add a row for each, by the data set's names."
            )
        return [given[key] for key in images]

    def _unique(self, rows: list[Row], images: dict[str, str], key: Callable[[str], str]) -> dict[str, Row]:
        """{key: row} of the rows that name one of the images; raises NoiseError where two do."""
        given: dict[str, Row] = {}
        for row in rows:
            name = key(row[1])
            if name in given:
                raise self._error(row[0], f"image '{row[1]}' was already listed in line {given[name][0]}; keep one row")
            if name in images:
                given[name] = row
        return given

    def _error(self, line: int, message: str) -> NoiseError:
        return NoiseError(f"noise file {self.path}, line {line}: {message}.")


def split_line(line: str) -> tuple[str, str] | None:
    """The name and the label in a line; None where they cannot be told apart. A name may hold spaces before a tab, comma or
    semicolon.
    """
    words, ended = line.split(), re.fullmatch(r"(.*\.[A-Za-z]{2,4}\"?)\s*[,;\t]\s*([^,;\t]+)", line.strip())
    if ended:
        return ended[1].strip('"'), ended[2].strip('"')
    if len(words) == 2:
        return words[0].rstrip(","), words[1]
    cells = [cell.strip().strip('"') for cell in line.split(next((mark for mark in "\t;" if mark in line), ","))]
    return (cells[0], cells[1]) if len(cells) == 2 and all(cells) else None


def image_stem(name: str) -> str:
    """An image's name without its ending and without RAF-DB's mark of an aligned image."""
    return re.sub(r"\.(jpe?g|png|webp|bmp)$", "", name, flags=re.IGNORECASE).removesuffix("_aligned")


def file_stem(name: str) -> str:
    """The same without the folders in front."""
    return image_stem(name).rsplit("/", 1)[-1]
