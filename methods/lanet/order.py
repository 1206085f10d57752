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
    present_classes = np.flatnonzero(sizes)
    image_total = sizes.sum()
    done_share = epoch / epochs
    given_shares = sizes[present_classes] / image_total
    equal_share = 1 / len(present_classes)
    class_shares = max(1 - done_share, 0) * given_shares + min(done_share, 1) * equal_share
    class_counts = np.ceil(class_shares * image_total).astype(np.int64)
    class_counts[-1] = max(image_total - class_counts[:-1].sum(), 0)
    counts = np.zeros_like(sizes, dtype=np.int64)
    counts[present_classes] = class_counts
    return counts


def progressive_order(rows_by_class: list[np.ndarray], epoch: int, epochs: int, seed: int) -> Tensor:
    """Rows of the training set for an epoch (0-based), [N] int64.

    rows_by_class: rows of each given label in ascending order. seed: the published program uses the epoch. The draws
    are numpy's legacy `RandomState.choice` class by class, then torch's `randperm`, as published.
    """
    sizes = np.array([len(rows) for rows in rows_by_class])
    random_state = np.random.RandomState(seed)
    chosen_rows = []
    for rows, count in zip(rows_by_class, progressive_counts(sizes, epoch, epochs)):
        if len(rows) == 0:
            continue
        whole_copies, extra_rows = divmod(int(count), len(rows)) if count > len(rows) else (0, int(count))
        chosen_rows += [np.tile(rows, whole_copies), random_state.choice(rows, extra_rows, replace=False)]
    chosen_rows = torch.from_numpy(np.concatenate(chosen_rows))
    shuffled_places = torch.randperm(len(chosen_rows), generator=torch.Generator().manual_seed(seed))
    return chosen_rows[shuffled_places][: sizes.sum()]


def side_by_side(order: Tensor, batch_size: int, processes: int) -> Tensor:
    """The same rows with each batch as `processes` processes see it: rows r, r + R, ... of it together, r = 0, 1, ...

    An incomplete last batch stays as it is.
    """
    whole_rows = len(order) // batch_size * batch_size
    batches = order[:whole_rows].view(-1, batch_size // processes, processes)
    return torch.cat([batches.transpose(1, 2).flatten(), order[whole_rows:]])
