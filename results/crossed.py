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
        found = Crossed(**values)
        shares = [getattr(found, name) for name in SHARES]
        shares += [] if found.worst_class is None else [found.worst_class]
        sound = all(type(share) in (int, float) and 0 <= share <= 1 for share in shares)
        sound = sound and type(found.images) is int and found.images > 0 and found.id == job_id
        sound = sound and all(isinstance(getattr(found, f.name), str) for f in fields(found) if f.type is str)
        sound = sound and all(isinstance(name, str) and type(n) is int for name, n in found.left_out.items())
        sound = sound and isinstance(found.unused, list) and all(isinstance(name, str) for name in found.unused)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise ValueError(f"{path}: not what was written there; remove it and run the table again")
    return found
