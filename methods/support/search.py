"""What a search of settings may try, as data: one range for each option that a method names in `search`."""

from dataclasses import dataclass
from typing import Any

DIGITS = 3  # of a drawn value; more would name other jobs on a platform that rounds differently


def round_value(value: float) -> float:
    return float(format(value, f".{DIGITS}g"))


@dataclass(frozen=True)
class Uniform:
    """Every number from `low` to `high` is as likely."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range from {self.low} to {self.high} is empty")

    def value(self, share: float) -> float:
        """The value at `share` of the way, 0 to 1."""
        return round_value(self.low + share * (self.high - self.low))


@dataclass(frozen=True)
class LogUniform:
    """Every ratio is as likely: 1 to 2 as much as 2 to 4."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise ValueError(f"a logarithmic range from {self.low} to {self.high}: expected 0 < low < high")

    def value(self, share: float) -> float:
        """The value at `share` of the way, 0 to 1."""
        return round_value(self.low * (self.high / self.low) ** share)


@dataclass(frozen=True)
class WholeNumber:
    """Every whole number from `low` to `high` is as likely."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"a range from {self.low} to {self.high} is empty")

    def value(self, share: float) -> int:
        """The value at `share` of the way, 0 to 1."""
        return min(self.high, self.low + int(share * (self.high - self.low + 1)))


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise ValueError(f"a choice among {self.values!r}: expected two values or more")

    def value(self, share: float) -> Any:
        """The value at `share` of the way, 0 to 1."""
        return self.values[min(len(self.values) - 1, int(share * len(self.values)))]


def settings_chosen(values: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    """`Method.demo` from the values that one search chose, the same for every method: results/search holds its runs."""
    reason = "chosen out of 16 settings by held-out noisy labels: drawn faces, asymmetric noise, 30 %, seeds 100-104"
    return {name: (value, reason) for name, value in values.items()}


Range = Uniform | LogUniform | WholeNumber | Choice
RANGES = {kind.__name__: kind for kind in (Uniform, LogUniform, WholeNumber, Choice)}
