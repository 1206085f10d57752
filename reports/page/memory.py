"""Records whose arrays of test images are read once, however many numbers of a page are made of them."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from results.records import Records

TEST = ("predictions", "test_labels", "test_rows")  # what every number of a table is made of


class KeepingRecords(Records):
    """As `Records`, at the price of the memory: 20 kB a run at demo scale, 200 kB at paper scale."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.kept: dict[str, dict[str, np.ndarray] | None] = {}

    def arrays(self, record_id: str, names: Iterable[str] | None = None) -> dict[str, np.ndarray] | None:
        if names is None or not set(names) <= set(TEST):
            return super().arrays(record_id, names)
        if record_id not in self.kept:
            self.kept[record_id] = super().arrays(record_id, TEST)
        return self.kept[record_id]
