"""Noise of real annotators: the labels that FER2013 was published with, before FER+ had ten people look at each picture."""

import numpy as np

from noise.base import Noise, NoiseError, Training


class Fer2013(Noise):
    """One fixed set of labels, the same for every seed. An image without one keeps its label."""

    name = "fer2013"
    rated = False
    needs = ("earlier_labels",)

    def labels(self, data: Training, rate: float, seed: int) -> np.ndarray:
        if data.earlier_labels is None:
            raise NoiseError(
                "noise 'fer2013' needs the labels of FER2013, which this data set lacks; put fer2013.csv and fer2013new.csv "
                "beside FERPlus, or use another kind."
            )
        if data.earlier_labels.shape != data.labels.shape:
            raise NoiseError(
                f"noise 'fer2013': {len(data.earlier_labels)} earlier labels for {len(data.labels)} images."
            )
        return np.where(data.earlier_labels >= 0, data.earlier_labels, data.labels).astype(np.int64)
