"""Noise from a list: the given labels stand in a text file of `name label` rows, as published with other methods."""

import re
from hashlib import sha256
from pathlib import Path

import numpy as np

from noise.base import Noise, NoiseError, Training
from noise.expressions import SEVEN

RAF_DB = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")


class LabelFile(Noise):
    """A list with one row for each training image; further rows (of test images) are ignored.

    Labels are class names, or for the seven classes the numbers 0..6 or 1..7 in RAF-DB's order.
    """

    name = "file"
    rated = False
    needs = ("names",)
    takes = "PATH"

    def identity(self) -> str:
        return f"file:{sha256(self._bytes()).hexdigest()[:16]}"

    def labels(self, data: Training, rate: float, seed: int) -> np.ndarray:
        if data.names is None:
            raise NoiseError("noise 'file' needs image names, which this data set lacks; use another kind.")
        rows = self._rows()
        meaning = self._meaning(rows, data.classes)
        given = self._by_image(rows, [str(name) for name in data.names])
        return np.array([data.classes.index(meaning[label]) for label in given], np.int64)

    def _bytes(self) -> bytes:
        try:
            return Path(self.argument).read_bytes()
        except OSError as error:
            raise NoiseError(f"noise file {self.argument}: cannot be read ({error.strerror}); check it.") from error

    def _rows(self) -> list[tuple[int, str, str]]:
        """(line number, image name, label) of every row."""
        try:
            lines = self._bytes().decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise NoiseError(f"noise file {self.argument}: not a UTF-8 text file of 'name label' rows.") from error
        rows = []
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if len(fields) == 2:
                rows.append((number, fields[0], fields[1]))
            elif fields:
                raise self._error(number, f"expected 'name label', found '{line.strip()[:60]}'")
        if not rows:
            raise NoiseError(f"noise file {self.argument}: no rows; expected one 'name label' row for each image.")
        return rows

    def _meaning(self, rows: list[tuple[int, str, str]], classes: tuple[str, ...]) -> dict[str, str]:
        """{label as written: class name}, after checking every row."""
        numeric = re.fullmatch(r"[0-9]+", rows[0][2]) is not None
        for number, _, label in rows:
            if numeric and not re.fullmatch(r"[0-9]+", label):
                raise self._error(number, f"label '{label}' is not a number, as in line {rows[0][0]}; use one form")
            if not numeric and label.lower() not in classes:
                raise self._error(number, f"label '{label}' is no class; classes: {', '.join(classes)}")
        written = {label for *_, label in rows}
        if not numeric:
            return {label: label.lower() for label in written}
        if set(classes) != set(SEVEN):
            message = f"numbers are defined for RAF-DB's seven classes only; write class names: {', '.join(classes)}"
            raise self._error(rows[0][0], message)
        first = self._first_label(rows)
        return {label: RAF_DB[int(label) - first] for label in written}

    def _first_label(self, rows: list[tuple[int, str, str]]) -> int:
        """0 for labels 0..6, 1 for labels 1..7; the whole file decides."""
        for number, _, label in rows:
            if int(label) > 7:
                raise self._error(number, f"label {label} is outside 0..6 and 1..7")
        zero = next((number for number, _, label in rows if int(label) == 0), None)
        seven = next((number for number, _, label in rows if int(label) == 7), None)
        if zero and seven:
            raise self._error(seven, f"label 7, but line {zero} has label 0; number the classes 0..6 or 1..7")
        if not zero and not seven:
            raise NoiseError(
                f"noise file {self.argument}: no label is 0 or 7, so the numbers may mean 0..6 or 1..7; "
                "write class names instead."
            )
        return 0 if zero else 1

    def _by_image(self, rows: list[tuple[int, str, str]], names: list[str]) -> list[str]:
        """The label of each image in `names`, as written."""
        images: dict[str, str] = {}
        for name in names:
            if images.setdefault(_stem(name), name) != name:
                raise NoiseError(
                    f"noise file {self.argument}: images '{images[_stem(name)]}' and '{name}' cannot be told apart "
                    "in a list; rename one."
                )
        given: dict[str, tuple[int, str]] = {}
        for number, name, label in rows:
            stem = _stem(name)
            if stem in given and stem in images:
                raise self._error(number, f"image '{name}' was already listed in line {given[stem][0]}; keep one row")
            given[stem] = (number, label)
        missing = [name for stem, name in images.items() if stem not in given]
        if missing:
            raise NoiseError(
                f"noise file {self.argument}: {len(missing)} of {len(names)} training images have no row, "
                f"the first is '{missing[0]}'; add a row for each."
            )
        return [given[stem][1] for stem in images]

    def _error(self, line: int, message: str) -> NoiseError:
        return NoiseError(f"noise file {self.argument}, line {line}: {message}.")


def _stem(name: str) -> str:
    """An image's name without its ending and without RAF-DB's mark of an aligned image."""
    return re.sub(r"\.(jpe?g|png)$", "", name, flags=re.IGNORECASE).removesuffix("_aligned")
