"""FERPlus with 10,000 training images, each class with its share: what a CPU can train at scale `small`."""

from pathlib import Path

from benchmark.datasets.base import Rows, Source
from benchmark.datasets.ferplus import FERPlus
from benchmark.scale import subset

IMAGES = 10_000


class FERPlus10k(FERPlus):
    name = "ferplus10k"
    title = "FERPlus, 10,000 training images"

    def read(self, path: Path, options: FERPlus.Options) -> Source:
        source = super().read(path, options)
        all_of_them = source.train
        kept = subset(all_of_them.labels, len(source.classes), IMAGES, 0)
        points = all_of_them.landmarks
        source.train = Rows(
            [all_of_them.names[row] for row in kept],
            all_of_them.labels[kept],
            lambda row: all_of_them.image(kept[row]),
            all_of_them.votes[kept],
            None if points is None else points[kept],
        )
        return source
