"""A record as it ships: of its arrays only what tables, figures, claims and votes are drawn from."""

import io
import json
import zipfile
from typing import Any

import numpy as np

from results.files import digest_bytes
from results.schema import content_hash

NEEDED_BY_VOTES = "distribution"  # half of a record; Table 2 and Figure 2 draw it, under these noises alone
VOTED = ("votes", "none")
NEVER_DRAWN = ("wrongness",)  # its measures are among the record's metrics


def slim(record: dict[str, Any], content: bytes) -> tuple[bytes, bytes]:
    """The text and arrays that a sound record ships with; `slim.arrays` keeps the hash of all its arrays.

    Everything in the record itself stays; one that is slim already is given back as it is.
    """
    if "slim" not in record:
        without = NEVER_DRAWN if record["spec"]["noise"]["kind"] in VOTED else (*NEVER_DRAWN, NEEDED_BY_VOTES)
        with np.load(io.BytesIO(content), allow_pickle=False) as kept:
            left_out = [name for name in without if name in kept.files]
            content = packed({name: kept[name] for name in kept.files if name not in left_out})
        record = record | {"slim": {"without": left_out, "arrays": record["arrays"]}, "arrays": digest_bytes(content)}
        record["hash"] = content_hash(record)
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode(), content


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz as NumPy reads it, a fifth smaller than NumPy writes it: of one file among a thousand that matters."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy")  # without the time of day: the same arrays give the same file
            info.compress_type = zipfile.ZIP_LZMA
            with archive.open(info, "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()
