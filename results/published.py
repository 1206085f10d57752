"""Published accuracies, from the copies in results/paper/; never averaged with what was measured here."""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "results" / "paper"
DATASETS = {"rafdb": "RAF-DB", "ferplus": "FERPlus", "affectnet": "AffectNet"}
METHODS = {"baseline": "Baseline", "scn": "SCN", "rul": "RUL", "eac": "EAC", "lanet": "LA-Net"}
# Methods of other papers, whose printed values come from many sources.
LATER = {
    "nla": "NLA",
    "resup": "ReSup",
    "dnfer": "DNFER",
    "clex": "CLEX",
    "otp_ns": "OTP-NS",
    "co_teaching": "Co-teaching",
    "jocor": "JoCoR",
}
# The methods of the tables `later` and `general`.
LATER_ROWS = (*METHODS, "nla", "resup", "dnfer", "clex", "otp_ns")
GENERAL_ROWS = (
    *("baseline", "label_smoothing", "mixup", "gce", "sce", "nce_rce", "nce_agce", "gjs", "elr", "forward", "sop"),
    *("cdr", "co_teaching", "jocor", "disc", "dividemix"),
)
SOURCES = {
    "asymmetric": "LA-Net supplement (ICCV 2023), Table 1",
    "symmetric": "LA-Net (ICCV 2023), Table 1, rows of the other methods taken over there from earlier papers",
    "none": "LA-Net (ICCV 2023), Table 3",
}
# Class sets that earlier papers' own programs fix, for the values that LA-Net's tables took over from them.
CLASSES = {("SCN", "FERPlus"): 8, ("EAC", "FERPlus"): 7}
FILES = {"asymmetric": "table1_asymmetric.csv", "symmetric": "symmetric.csv", "none": "clean.csv"}


@dataclass(frozen=True)
class Published:
    """One printed accuracy in per cent; std and classes are None where the source does not print them.

    source: where it stands and by which rule, of methods of other papers; '' for the tables named in SOURCES.
    """

    mean: float
    std: float | None = None
    classes: int | None = None
    source: str = ""

    @property
    def text(self) -> str:
        return f"{self.mean:.2f}" + ("" if self.std is None else f"±{self.std:.2f}")


def find_published(
    noise: str, rate: str | None, method: str, dataset: str, classes: int | None = None
) -> Published | None:
    """What was printed for a cell; of several class sets the one with `classes`, else the larger."""
    if method in LATER:
        rows = later_accuracies().get((noise, rate, LATER[method], DATASETS.get(dataset)), ())
    else:
        rows = printed_accuracies().get((noise, rate, METHODS.get(method), DATASETS.get(dataset)), ())
    return max(rows, key=lambda row: (row.classes == classes, row.classes or 0), default=None)


@lru_cache
def printed_accuracies() -> dict[tuple, list[Published]]:
    """{(noise, rate, method, data set): printed values}, names as printed."""
    printed_values: dict[tuple, list[Published]] = {}
    for noise, name in FILES.items():
        for row in rows_of(name):
            if row.get("backbone") == "ResNet-50":
                continue
            key = (noise, row.get("rate"), row["method"], row["dataset"])
            value = row.get("mean") or row["accuracy"]
            classes = int(row["classes"]) if row.get("classes") else None
            if noise != "asymmetric":  # LA-Net's authors ran those themselves
                classes = classes or CLASSES.get((row["method"], row["dataset"]))
            std = float(row["std"]) if row.get("std") else None
            printed_values.setdefault(key, []).append(Published(float(value), std, classes))
    return printed_values


@lru_cache
def later_accuracies() -> dict[tuple, list[Published]]:
    """{(noise, rate, method, data set): printed values} of methods of other papers; rate None without noise."""
    printed_values: dict[tuple, list[Published]] = {}
    for row in rows_of("later_methods.csv"):
        rate = None if row["noise_type"] == "none" else row["rate"]
        rule = row["rule"] or "epoch rule not stated"
        value = Published(
            mean=float(row["mean"]),
            std=float(row["std"]) if row["std"] else None,
            classes=int(row["classes"]) if row["classes"] else None,
            source=f"{row['method']} ({rule}), {row['source']}",
        )
        dataset = row["dataset"].removesuffix("-7").removesuffix("-8")
        key = (row["noise_type"], rate, row["method"], dataset)
        printed_values.setdefault(key, []).append(value)
    return printed_values


@lru_cache
def supplement_facts() -> dict[str, str]:
    """The supplement's grids, best values, divergences and stated gains."""
    return {row["item"]: row["value"] for row in rows_of("supplement_facts.csv")}


@lru_cache
def asymmetric_map() -> dict[str, tuple[str, bool]]:
    """{class: (the wrong label that asymmetric noise gives it, whether the paper's map has that class)}."""
    return {
        row["class"]: (row["wrong_label"], row["source"].startswith("LA-Net")) for row in rows_of("asymmetric_map.csv")
    }


def rows_of(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
