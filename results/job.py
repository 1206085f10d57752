"""A job: one training run, named by the hash of everything that can change its result, and its random streams."""

import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

PROTOCOL = 1


def canonical_json(value: Any) -> str:
    """JSON with one spelling only; what a hash is taken of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def json_digest(value: Any, length: int = 20) -> str:
    """The first `length` hexadecimal digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]


def number_text(value: float | int | str) -> str:
    """A number as the one decimal string that stands for it in an identity: 0.1 + 0.2 and 0.30 are both '0.3'."""
    return format(float(value), ".12g")


@dataclass(frozen=True)
class Job:
    """One training run. Its fields are what can change the result; worker count, devices, paths and order cannot.

    data: {name, fingerprint, landmarks}; landmarks is None for methods that do not use them. noise: {kind, rate,
    version}; kind is its identity (`file:` and the hash of the list, for a list), rate a decimal string or None.
    part: 'all', or 'correct' to train on the correctly labelled images only (a ceiling that no method can know).
    scale: {name, version}. weights: 'random', 'sha256:...' or 'landmarks:...'. weights2: of further networks; None, and
    no part of the identity, where they start as the first one does.
    backbone_code: hash of the code of a backbone of one's own; None, and no part of the identity, for others.
    overrides: parameters and recipe fields that differ from what is declared, as canonical strings.
    """

    method: str
    method_version: int
    data: dict[str, Any]
    noise: dict[str, Any]
    seed: int
    precision: str
    preset: str
    scale: dict[str, Any]
    weights: str
    overrides: dict[str, str] = field(default_factory=dict)
    holdout: bool = False
    part: str = "all"
    protocol: int = PROTOCOL
    weights2: str | None = None
    backbone_code: str | None = None

    @property
    def spec(self) -> dict[str, Any]:
        return deepcopy(self.identity)

    @property
    def identity(self) -> dict[str, Any]:
        """What makes up the identity; a second start and the code of a backbone are parts of it where there are such."""
        all_fields = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            key: value
            for key, value in all_fields.items()
            if key not in ("weights2", "backbone_code") or value is not None
        }

    @cached_property
    def id(self) -> str:
        return json_digest(self.identity)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def text(self) -> str:
        """The job in a few words, for logs and progress."""
        rate = self.noise["rate"]
        job_words = [self.method, self.data["name"], self.noise["kind"] + (f" {rate}" if rate is not None else "")]
        job_words += [f"{key}={value}" for key, value in self.overrides.items()]
        if self.part == "correct":
            job_words.append("correct labels only")
        return " ".join([*job_words, f"seed {self.seed}"])


def stream_seed(*parts: Any) -> int:
    """A 63-bit seed for one purpose, e.g. stream('augment', 'faces', seed, epoch)."""
    text = canonical_json([str(part) for part in parts])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
