"""A record as it ships: of its arrays only what tables, figures, claims and votes are drawn from."""

import io
import json
import zipfile
from typing import Any

import numpy as np

from results.files import digest_bytes
from results.schema import content_hash

DRAWN = ("predictions", "test_labels", "test_rows")
WITH_VOTES = (*DRAWN, "distribution", "train_rows", "given", "clean")  # Table 2 and Figure 2, under these noises alone
VOTED = ("votes", "none")


def slim_record(record: dict[str, Any], content: bytes) -> tuple[bytes, bytes]:
    """The text and arrays that a sound record ships with; `slim.arrays` keeps the hash of all its arrays.

    Everything in the record itself stays: measures of arrays that are left out are among its metrics. One that has nothing
    more to lose is given back as it is.
    """
    needed_names = WITH_VOTES if record["spec"]["noise"]["kind"] in VOTED else DRAWN
    slim_section = record.get("slim", {"without": [], "arrays": record["arrays"]})
    with np.load(io.BytesIO(content), allow_pickle=False) as stored_arrays:
        left_out_names = [name for name in stored_arrays.files if name not in needed_names]
        if left_out_names or "slim" not in record:
            content = pack_arrays({name: stored_arrays[name] for name in stored_arrays.files if name in needed_names})
            missing_names = sorted({*slim_section["without"], *left_out_names})
            record = record | {"slim": slim_section | {"without": missing_names}, "arrays": digest_bytes(content)}
            record["hash"] = content_hash(record)
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode(), content


def pack_arrays(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz as NumPy reads it, a fifth smaller than NumPy writes it: of one file among a thousand that matters."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            info = zipfile.ZipInfo(f"{name}.npy")  # without the time of day: the same arrays give the same file
            info.compress_type = zipfile.ZIP_LZMA
            with archive.open(info, "w") as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    return buffer.getvalue()
