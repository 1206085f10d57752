"""LA-Net's progressively balanced sampler: the given class frequencies at first, nearly equal ones at the end.

Each epoch still shows as many images as there are; images of rare classes repeat, images of frequent ones are left out.
"""

import numpy as np
import torch
from torch import Tensor


def progressive_counts(sizes: np.ndarray, epoch: int, epochs: int) -> np.ndarray:
    """Images of each class in an epoch (0-based), [C] int64.

    k_c = ceil(N ((1 - e/E) n_c/N + e/E 1/C)), the last class takes what is left. sizes: n_c, images of each class.
    Computed in float64 in this order, because the ceiling sees the last bit. A class without images gets none, the
    others share the epoch.
    """
    present = np.flatnonzero(sizes)
    total, done = sizes.sum(), epoch / epochs
    share = max(1 - done, 0) * (sizes[present] / total) + min(done, 1) * (1 / len(present))
    wanted = np.ceil(share * total).astype(np.int64)
    wanted[-1] = max(total - wanted[:-1].sum(), 0)
    counts = np.zeros_like(sizes, dtype=np.int64)
    counts[present] = wanted
    return counts


def progressive_order(rows_by_class: list[np.ndarray], epoch: int, epochs: int, seed: int) -> Tensor:
    """Rows of the training set for an epoch (0-based), [N] int64.

    rows_by_class: rows of each given label in ascending order. seed: the published program uses the epoch. The draws
    are numpy's legacy `RandomState.choice` class by class, then torch's `randperm`, as published.
    """
    sizes = np.array([len(rows) for rows in rows_by_class])
    draw = np.random.RandomState(seed)
    chosen = []
    for rows, count in zip(rows_by_class, progressive_counts(sizes, epoch, epochs)):
        if len(rows) == 0:
            continue
        whole, rest = divmod(int(count), len(rows)) if count > len(rows) else (0, int(count))
        chosen += [np.tile(rows, whole), draw.choice(rows, rest, replace=False)]
    chosen = torch.from_numpy(np.concatenate(chosen))
    shuffled = torch.randperm(len(chosen), generator=torch.Generator().manual_seed(seed))
    return chosen[shuffled][: sizes.sum()]


def side_by_side(order: Tensor, batch_size: int, processes: int) -> Tensor:
    """The same rows with each batch as `processes` processes see it: rows r, r + R, ... of it together, r = 0, 1, ...

    An incomplete last batch stays as it is.
    """
    whole = len(order) // batch_size * batch_size
    batches = order[:whole].view(-1, batch_size // processes, processes)
    return torch.cat([batches.transpose(1, 2).flatten(), order[whole:]])
