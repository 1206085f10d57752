"""What was typed, checked: one field an option."""

from dataclasses import dataclass
from pathlib import Path

from benchmark.plan.catalogue import Cards
from benchmark.plan.experiments import Experiment
from benchmark.scale import Scale


@dataclass(frozen=True)
class Request:
    """What was typed, checked: one field an option."""

    experiments: list[Experiment]
    data: dict[str, Path]
    datasets: list[str]
    methods: list[str] | None
    noise: list[str] | None
    rates: list[str] | None
    seeds: list[int] | None
    sets: dict[str, str]
    scale: Scale
    preset: str
    weights: str | None
    precision: str
    device: str
    rule: str
    floor: bool
    methods_path: tuple[Path, ...]
    results: Path
    cards: Cards  # of the methods that can be used
    against: Path | None = None  # the folder of others' records
    fast: bool = False
    graphs: bool = True
    per_gpu: int = 1
    draw: bool = False
    weights2: str | None = None
    draws: int = 16
    tune_learning_rate: bool = True
    published_settings: bool = False
    keep_weights: bool = False  # keep the trained network of each run beside its record
