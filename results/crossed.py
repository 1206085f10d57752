"""How a kept network does on a data set that it was not trained on: one small file each, beside the records.

<root>/crossed/<id>-<data set>-<fingerprint>.json
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from results.files import write_json

SHARES = ("accuracy", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True)
class Crossed:
    """What came of one network on the test images of one data set; shares are fractions of 1."""

    id: str  # of the job that trained the network
    network: str  # SHA-256 of its file of tensors
    data: str  # name of the data set
    fingerprint: str  # of the data set
    title: str  # of the data set
    images: int  # that count
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    left_out: dict[str, int]  # images of classes that the network does not know
    unused: list[str]  # classes of the network that the data set does not have
    worst_class: float | None = None  # accuracy of the class with the lowest; None: measured before it was kept


def crossed_path(root: Path, job_id: str, data: str, fingerprint: str) -> Path:
    return root / "crossed" / f"{job_id}-{data}-{fingerprint[:12]}.json"


def write_crossed(path: Path, crossed: Crossed) -> None:
    write_json(path, asdict(crossed))


def read_crossed(path: Path, job_id: str) -> Crossed | None:
    """What was measured; None where there is none. Raises ValueError, one line, for a file that is something else."""
    try:
        values = json.loads(path.read_bytes())
        crossed = Crossed(**values)
        shares = [getattr(crossed, name) for name in SHARES]
        if crossed.worst_class is not None:
            shares.append(crossed.worst_class)
        is_sound = all(type(share) in (int, float) and 0 <= share <= 1 for share in shares)
        is_sound = is_sound and type(crossed.images) is int and crossed.images > 0 and crossed.id == job_id
        is_sound = is_sound and all(isinstance(getattr(crossed, f.name), str) for f in fields(crossed) if f.type is str)
        is_sound = is_sound and all(isinstance(name, str) and type(n) is int for name, n in crossed.left_out.items())
        is_sound = (
            is_sound and isinstance(crossed.unused, list) and all(isinstance(name, str) for name in crossed.unused)
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        is_sound = False
    if not is_sound:
        raise ValueError(f"{path}: not what was written there; remove it and run the table again")
    return crossed
