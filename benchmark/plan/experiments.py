"""What each table and figure of the paper needs, as data: which rows, which noise, which values.

A new table is a few lines here; nothing else knows its name.
"""

from dataclasses import dataclass, field

from results.published import GENERAL_ROWS, LATER_ROWS, METHODS

PAPER_FIVE = tuple(METHODS)
Rates = dict[str, tuple[str, ...]]  # {kind of noise: rates}
RATES = ("0.1", "0.2", "0.3")
ASYMMETRIC: Rates = {"asymmetric": RATES}
BOTH_NOISES: Rates = {"asymmetric": RATES, "symmetric": RATES}
AT_30: Rates = {"asymmetric": ("0.3",)}
SEARCH_DRAWINGS = ("tuned", "budget", "sensitivity")
LAST_EPOCH_DRAWINGS = ("divergence", "gallery", "mechanisms", "classes", "confusion", "cross", *SEARCH_DRAWINGS)
SWEEPS = {
    "confidence": ("0.5", "0.6", "0.7", "0.8", "0.9"),
    "landmark_weight": ("0.1", "0.5", "1", "2", "5"),
    "contrastive_weight": ("0.01", "0.05", "0.1", "0.5", "1"),
    "temperature": ("0.05", "0.07", "0.1", "0.15", "0.2"),
    "label_momentum": ("0.8", "0.85", "0.9", "0.95", "0.99"),
}


@dataclass(frozen=True)
class Row:
    """One line of a table, or one point of a figure: a method with what is changed about it."""

    method: str
    overrides: dict[str, str] = field(default_factory=dict)
    label: str | None = None
    published_settings: bool = False  # whatever `--settings` says
    draw: int | None = None  # number of a draw of settings, 0 is as published
    swept: str = ""  # the option that a figure varies, one of the overrides


@dataclass(frozen=True)
class Experiment:
    """A table or figure."""

    kind: str  # 'table' or 'figure'
    name: str
    title: str
    noise: Rates  # kinds without a rate have an empty tuple
    rows: tuple[Row, ...]
    published: str | None = None  # a file of results/paper
    like: str | None = None  # the method whose recipe any other method asked for is trained under
    drawing: str = "accuracy"  # a name of `reports.choose`
    note: str = ""  # on the axes
    optional: bool = False  # a part of `--all` only where `--with` names it
    fixed_rows: bool = False  # `--methods` takes no row away

    @property
    def takes_any_method(self) -> bool:
        """Whether a method that `--methods` names gets a row although the experiment has none for it."""
        return self.drawing not in ("sweep", "gallery")

    @property
    def searched(self) -> bool:
        """Whether each method is a row for each draw of its settings."""
        return self.drawing in SEARCH_DRAWINGS

    @property
    def any_rule(self) -> bool:
        """Whether the epoch is that of `--rule`, and not always the last one."""
        return self.drawing not in LAST_EPOCH_DRAWINGS


def sweep_rows(*options: str) -> tuple[Row, ...]:
    """A point for each value of options of LA-Net."""
    return tuple(
        Row("lanet", {f"lanet.{option}": value}, f"{option}={value}", swept=f"lanet.{option}")
        for option in options
        for value in SWEEPS[option]
    )


FIVE = tuple(Row(method) for method in PAPER_FIVE)
LATER = tuple(Row(method) for method in LATER_ROWS)
GENERAL = tuple(Row(method) for method in GENERAL_ROWS)
WITHOUT_LOSSES = {f"lanet.{part}_weight": "0" for part in ("landmark", "distribution", "contrastive")}
MATCHED = (
    Row("lanet", WITHOUT_LOSSES | {"lanet.sampler": "balanced"}, "Baseline (LA-Net's recipe and sampler)"),
    Row("lanet", WITHOUT_LOSSES | {"lanet.sampler": "uniform"}, "Baseline (LA-Net's recipe)"),
    Row("scn", {"recipe.like": "lanet"}, "SCN (LA-Net's recipe)"),
    Row("rul", {"recipe.like": "lanet"}, "RUL (LA-Net's recipe)"),
    Row("eac", {"recipe.like": "lanet"}, "EAC (LA-Net's recipe)"),
    Row("lanet", {"lanet.sampler": "uniform"}, "LA-Net (uniform sampler)"),
    Row("lanet", {"lanet.sampler": "balanced"}, "LA-Net (its published sampler)"),
)
WEIGHTS_NOTE = (
    "The supplement names two loss weights and the method has three: that α is the weight of the landmark loss and β "
    "that of the contrastive loss is an assumption, and the values on all three axes are ours."
)
GRID_NOTE = "Grid and best value as in section B of the supplement; the noise level is ours."


def grid_figure(name: str, title: str, option: str) -> Experiment:
    """A grid search of section B."""
    noise: Rates = {"asymmetric": ("0.2",)}
    return Experiment("figure", name, title, noise, sweep_rows(option), drawing="sweep", note=GRID_NOTE)


def optional_five(kind: str, drawing: str, title: str, noise: Rates) -> Experiment:
    """The paper's five methods, drawn in the way that gives the table or figure its name."""
    return Experiment(kind, drawing, title, noise, FIVE, drawing=drawing, optional=True)


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("table", "1", "Accuracy under asymmetric noise", ASYMMETRIC, FIVE, "table1_asymmetric.csv"),
    Experiment(
        "table", "2", "Jensen-Shannon divergence from people", {"none": (), "votes": ()}, FIVE, drawing="divergence"
    ),
    Experiment("table", "symmetric", "Accuracy under symmetric noise", {"symmetric": RATES}, FIVE, "symmetric.csv"),
    Experiment("table", "clean", "Accuracy without added noise", {"none": ()}, FIVE, "clean.csv"),
    Experiment("table", "matched", "One recipe for all: the idea or the recipe?", ASYMMETRIC, MATCHED, like="lanet"),
    Experiment(
        "figure",
        "1",
        "Accuracy against delta, alpha and beta",
        ASYMMETRIC,
        sweep_rows("confidence", "landmark_weight", "contrastive_weight"),
        drawing="sweep",
        note=WEIGHTS_NOTE,
    ),
    Experiment(
        "figure",
        "2",
        "Labels, people and LA-Net's label distributions",
        {"votes": ()},
        (Row("lanet"),),
        drawing="gallery",
    ),
    Experiment("figure", "mechanisms", "Does each method do what it is?", ASYMMETRIC, FIVE, drawing="mechanisms"),
    grid_figure("tau", "Accuracy against the temperature", "temperature"),
    grid_figure("omega", "Accuracy against the label momentum", "label_momentum"),
    Experiment(
        "table",
        "later",
        "Methods of later papers beside the paper's five",
        BOTH_NOISES,
        LATER,
        "later_methods.csv",
        optional=True,
    ),
    Experiment(
        "table",
        "general",
        "Methods of general label noise beside the baseline",
        BOTH_NOISES,
        GENERAL,
        "later_methods.csv",
        optional=True,
    ),
    optional_five("table", "classes", "Accuracy of each class under asymmetric noise", ASYMMETRIC),
    optional_five("figure", "confusion", "Which classes are taken for which", AT_30),
    Experiment(
        "table",
        "published",
        "Accuracy with published settings",
        ASYMMETRIC,
        tuple(Row(method, published_settings=True) for method in PAPER_FIVE),
        "table1_asymmetric.csv",
        optional=True,
    ),
    optional_five("table", "cross", "Accuracy on other data sets than the networks were trained on", AT_30),
    optional_five("table", "tuned", "Accuracy with settings chosen by held-out noisy labels", AT_30),
    optional_five("figure", "budget", "Accuracy against the number of settings tried", AT_30),
    optional_five("figure", "sensitivity", "Accuracy of every setting tried", AT_30),
)


def find_experiment(kind: str, name: str) -> Experiment | None:
    return next((e for e in EXPERIMENTS if (e.kind, e.name) == (kind, name)), None)
