"""Figure 2: training faces with their given label, people's votes and LA-Net's label distribution side by side."""

import textwrap
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from reports.asked import Asked, Options, ReportError, output_stem
from reports.captions import dataset_title, describe_foundation, noise_text, scale_text
from reports.cells import read_cells
from reports.divergence import find_misfit
from reports.facts import round_alike
from reports.notes import against_note, list_gaps
from reports.pictures.drawing import INK, SOFT, Drawing, escape_dollars, new_figure
from reports.votes import image_kinds, people_text, read_votes, votes_to_shares
from results.records import Records
from results.schema import class_names, record_seed

COLUMNS = 3
WIDTHS = [1.3, 0.35, 1, 1, 1]  # face, class names, three charts
WANTED = {"wrong": 6, "ambiguous": 12, "clear": 6}  # faces, in rows of three
COLOURS = {"wrong": "#b42318", "ambiguous": "#0b5cad", "clear": "#1a7f37"}
HATCHES = {"wrong": "//", "ambiguous": "", "clear": ".."}  # the three kinds stay apart in grey
DRAW = 2  # seed of the choice of faces
KINDS_OF_FACES = (
    "Beside each training face, left to right: the given label, people's votes, LA-Net's label distribution.",
    "Red, two rows: the given label is wrong (another class has more votes); blue, four rows: ambiguous (at most half of "
    "the annotators agree); green, two rows: clear.",
    f"Chosen without looking: of one random order of all voted training images (numpy default_rng({DRAW})), the first "
    "ones of each kind.",
)


def choose_faces(kind_of: np.ndarray, draw: int = DRAW) -> dict[str, np.ndarray]:
    """Positions of the faces of each kind: the first ones of one seeded permutation of all images."""
    order = np.random.default_rng(draw).permutation(len(kind_of))
    return {name: order[kind_of[order] == kind][:face_count] for kind, (name, face_count) in enumerate(WANTED.items())}


def gallery_figure(asked: Asked, records: Records, options: Options) -> Drawing:
    """Figure 2 of the first data set with votes, from its run with the smallest seed; raises ReportError."""
    cells = read_cells(asked, records, asked.rule(options))
    title = asked.heading
    name = f"{asked.kind} {asked.name}"
    for cell in cells:
        for record in sorted(cell.records, key=record_seed):
            votes = read_votes(record, records, options.study)
            folder = records.data_folder(record)
            if votes is None or not (folder / "train_images.npy").is_file():
                continue
            arrays = records.arrays(record["id"], ("train_rows", "given", "clean", "distribution"))
            complaint = records.refused.get(record["id"]) if arrays is None else find_misfit(arrays, votes)
            if complaint:
                raise ReportError(f"{name}: {record['id']}: {complaint}")
            images = np.load(folder / "train_images.npy", mmap_mode="r", allow_pickle=False)
            faces = GalleryFaces(arrays, votes, images, class_names(record), bool(options.study))
            shown_cell = replace(cell, ids=(record["id"],), records=[record])
            caption = (
                f"Training faces of {dataset_title(cells, cell.dataset)}, {noise_text(cell.noise, cell.rate)}, each with its "
                f"given label, people's votes and LA-Net's label distribution after the last epoch; n = 1 seed; "
                f"{scale_text([shown_cell])}."
            )
            stands_on = [f"Run {record['id']} (seed {record_seed(record)}).", f"People: {people_text(options.study)}."]
            lacking_faces = [f"{name}: {line}" for line in faces.lacking]
            return Drawing(
                output_stem(asked),
                title,
                caption,
                faces.render,
                list_gaps(cells) + lacking_faces,
                [*(f"{line.capitalize()}." for line in faces.lacking), *against_note([shown_cell])],
                [*stands_on, *KINDS_OF_FACES, *describe_foundation([shown_cell])],
                faces.facts,
            )
    reason = "no run with people's votes and decoded images is kept here"
    text = f"Not drawn: {reason}."
    return Drawing(
        output_stem(asked), title, text, partial(empty_figure, text), [*list_gaps(cells), f"{name}: {reason}"]
    )


def empty_figure(text: str) -> Any:
    figure = new_figure(4, 1.2)
    figure.text(0.5, 0.5, text, ha="center", color=SOFT)
    return figure


class GalleryFaces:
    """The chosen faces of one run."""

    def __init__(
        self, arrays: dict[str, np.ndarray], votes: np.ndarray, images: np.ndarray, classes: list[str], study: bool
    ) -> None:
        rows = arrays["train_rows"]
        people = np.asarray(votes[rows], float)
        voted_rows = np.flatnonzero(people.sum(1) > 0)
        self.classes = classes
        self.rows = rows[voted_rows]
        self.people = votes_to_shares(people[voted_rows])
        self.given = arrays["given"][voted_rows].astype(int)
        self.distribution = votes_to_shares(arrays["distribution"][voted_rows])
        self.chosen = choose_faces(image_kinds(people[voted_rows], self.given, study))
        self.images = images

    @property
    def lacking(self) -> list[str]:
        return [
            f"only {len(self.chosen[kind])} {kind} faces, {wanted_count} wanted"
            for kind, wanted_count in WANTED.items()
            if len(self.chosen[kind]) < wanted_count
        ]

    @property
    def places(self) -> list[tuple[str, int]]:
        """(kind, position) of each face, in the order of the picture."""
        return [(kind, at) for kind in WANTED for at in self.chosen[kind]]

    @property
    def facts(self) -> list[dict[str, Any]]:
        """One line a bar chart, in the order of the picture; shares of 1."""
        return [
            {"face": number, "kind": kind, "shown": name, "row": int(self.rows[at])}
            | {c: round_alike(share, 4) for c, share in zip(self.classes, shares_shown, strict=True)}
            for number, (kind, at) in enumerate(self.places, 1)
            for name, shares_shown in self.charts(at)
        ]

    def charts(self, at: int) -> list[tuple[str, np.ndarray]]:
        """What stands beside a face: names and shares of the classes."""
        label = np.eye(len(self.classes))[self.given[at]]
        return [("label", label), ("people", self.people[at]), ("LA-Net", self.distribution[at])]

    def render(self) -> Any:
        """The grid: a row of three faces at a time, each beside its three small charts."""
        lines = -(-len(self.places) // COLUMNS) or 1
        figure = new_figure(4.1 * COLUMNS, 1.28 * lines + 0.3, layout="none")
        grid = figure.add_gridspec(
            lines, COLUMNS * 5, width_ratios=WIDTHS * COLUMNS, left=0.01, right=0.99, top=0.98, bottom=0.02
        )
        for number, (kind, at) in enumerate(self.places):
            line, column = divmod(number, COLUMNS)
            face = figure.add_subplot(grid[line, 5 * column])
            self.draw_face(face, kind, at)
            for step, (name, values) in enumerate(self.charts(at), 2):
                axes = figure.add_subplot(grid[line, 5 * column + step])
                self.draw_bars(axes, values, kind, name, with_names=step == 2)
        return figure

    def draw_face(self, axes: Any, kind: str, at: int) -> None:
        image = np.asarray(self.images[self.rows[at]])
        axes.imshow(image[..., 0] if image.shape[-1] == 1 else image, cmap="gray", vmin=0, vmax=255)
        axes.set_xticks([]), axes.set_yticks([])
        for side in axes.spines.values():
            side.set(visible=True, color=COLOURS[kind], linewidth=2)
        axes.set_xlabel(kind, fontsize=6, color=COLOURS[kind], labelpad=1)

    def draw_bars(self, axes: Any, values: np.ndarray, kind: str, name: str, with_names: bool) -> None:
        number = np.arange(len(values))
        axes.barh(number, values, color=COLOURS[kind], hatch=HATCHES[kind], edgecolor="white", linewidth=0, height=0.8)
        axes.set(xlim=(0, 1), ylim=(len(values) - 0.4, -0.6), xticks=[])
        names = [textwrap.shorten(escape_dollars(c), 12, placeholder="…") for c in self.classes] if with_names else []
        axes.set_yticks(number if with_names else [], names, fontsize=4.5)
        axes.tick_params(length=0, pad=1)
        axes.set_title(name, fontsize=6, color=INK, pad=2)
