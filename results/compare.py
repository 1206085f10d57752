"""Whether two records of one job hold the same numbers: for `--import`, and for `reproduce`."""

from typing import Any

PARTS = ("noise", "metrics", "history")  # what was measured; times, machine and versions may differ


def differing_parts(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Sections of two records whose numbers differ, by the fields that both know: a later version measures more."""
    return [part for part in PARTS if shared_fields_differ(before[part], after[part])]


def lacking_fields(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Fields that only the first of two records has, as 'metrics.last5'."""
    return [f"{part}.{name}" for part in PARTS for name in before[part] if name not in after[part]]


def shared_fields_differ(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return any(before[name] != after[name] for name in before.keys() & after.keys())


def describe_difference(ours: dict[str, Any], theirs: dict[str, Any], text: str) -> str:
    """One line: both accuracies, and where each was made. text: of the job."""
    return (
        f"{ours['id']} ({text}): {describe_measured(ours)} here, {describe_measured(theirs)} there; the one here stays"
    )


def describe_measured(record: dict[str, Any]) -> str:
    """'82.13 % at the last epoch (EPYC, torch 2.11)'."""
    provenance = record["provenance"]
    origin_words = [str(provenance.get("hardware") or "unknown hardware")]
    if provenance.get("torch"):
        origin_words.append(f"torch {provenance['torch']}")
    return f"{100 * record['metrics']['last']:.2f} % at the last epoch ({', '.join(origin_words)})"
