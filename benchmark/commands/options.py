"""Every option of `run_all.py`, with what it does and which values there are."""

import argparse
import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from benchmark.commands.arguments import parse_decimal
from benchmark.plan.experiments import EXPERIMENTS
from benchmark.scale import SCALES
from benchmark.terminal import Usage, print_note
from reports.metrics import METRICS
from reports.statistics import SPREADS
from results.schema import RULES

HELP = """python run_all.py --table 1              asymmetric noise (supplement, Table 1)
python run_all.py --table 2              divergence of labels and label distributions from people
python run_all.py --table symmetric      symmetric noise (main paper)
python run_all.py --table clean          no added noise
python run_all.py --table matched        every method under one recipe (is the gain the idea or the recipe?)
python run_all.py --table later          NLA, ReSup, DNFER, CLEX and OTP-NS beside the paper's five
python run_all.py --table general        fifteen methods of general label noise beside the baseline
python run_all.py --figure 1             accuracy against delta, alpha, beta at each noise level
python run_all.py --figure 2             gallery: wrong, ambiguous and right labels with three distributions each
python run_all.py --figure tau|omega     the grid searches of section B
python run_all.py --sweep gce.q=0.3,0.7  accuracy against any option, also of a method of your own
python run_all.py --figure mechanisms    does each method do what it is? (runs of Table 1)
python run_all.py --table classes        accuracy of each class (runs of Table 1)
python run_all.py --figure confusion     which classes are taken for which (runs of Table 1 at 30 %)
python run_all.py --table published      asymmetric noise, every method with its published settings
python run_all.py --table tuned          every method tuned by the same rule (--draws K settings each)
python run_all.py --table cross          trained on one data set, tested on another (--datasets A B)
python run_all.py --figure budget        accuracy against the number of settings tried
python run_all.py --figure sensitivity   accuracy of every setting tried
python run_all.py --all                  the paper's tables and figures, report.html (--with later: that too)
python run_all.py --list                 methods, data sets, noises, tables and figures
python run_all.py --help                 every option"""


PATHS = ("weights", "weights2", "against", "imported", "results", "out", "study")


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        if unknown := re.match(r"unrecognized arguments: (--[\w-]+)", message):
            near = get_close_matches(unknown[1], self._option_string_actions, 1, 0.7)
            message += f" (did you mean {near[0]}?)" if near else "; python run_all.py --help lists the options"
        raise Usage(message)

    def read(self, words: list[str]) -> argparse.Namespace:
        """The arguments, with ~ in paths resolved; raises Usage for an empty value. Of an option that has one place the last
        one counts, as in any program, so that a script's own can be changed behind it; that is said."""
        values_by_option = by_option(words)
        for option, values in values_by_option.items():
            action = self._option_string_actions.get(option)
            if isinstance(action, argparse._StoreAction) and any(value != values[0] for value in values):
                fix = f" (several values go behind one {option})" if action.nargs else ""
                print_note(
                    f"{option}: you gave it {len(values)} times; the last one counts, {' '.join(values[-1])}{fix}"
                )
        args = self.parse_args(words)
        args.given = set(values_by_option)
        for name in PATHS:
            if value := getattr(args, name):
                setattr(args, name, type(value)(os.path.expanduser(value)))
        args.methods_path = [os.path.expanduser(path) for path in args.methods_path]
        return args


def by_option(words: list[str]) -> dict[str, list[list[str]]]:
    """{option: the words behind it, each time that it is given}; raises Usage for an empty word."""
    values_by_option: dict[str, list[list[str]]] = {"": [[]]}
    option = ""
    for word in words:
        if word.startswith("--"):
            option, equals, word = word.partition("=")
            values_by_option.setdefault(option, []).append([])
            if not equals:
                continue
        if not word:
            raise Usage(
                f"{option}: its value is empty; give one, or leave the option out (is a shell variable not set?)"
            )
        values_by_option[option][-1].append(word)
    return values_by_option


def experiment_names(kind: str) -> str:
    """The tables or figures by name, for a line of help."""
    return ", ".join(e.name for e in EXPERIMENTS if e.kind == kind)


def parser() -> Parser:
    p = Parser(
        "run_all.py",
        usage=HELP.replace("%", "%%"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    what = p.add_argument_group("what to show")
    what.add_argument(
        "--table", action="append", default=[], metavar="NAME", help=f"a table: {experiment_names('table')}"
    )
    what.add_argument(
        "--figure", action="append", default=[], metavar="NAME", help=f"a figure: {experiment_names('figure')}"
    )
    what.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="NAME.option=V1,V2,...",
        help="a figure of accuracy against one option: of a method, recipe or backbone; may be repeated",
    )
    what.add_argument("--all", action="store_true", help="every table and figure but optional ones, and report.html")
    what.add_argument(
        "--with", dest="also", nargs="+", default=[], metavar="TABLE", help="optional tables into --all, as later"
    )
    what.add_argument("--list", action="store_true", help="print methods, data sets, noises, tables and figures")
    which = p.add_argument_group("which runs")
    which.add_argument(
        "--scale", choices=tuple(SCALES), help="how large a run is (default: demo; paper for real data on a GPU)"
    )
    which.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="where a real data set lies; may be repeated; or FER_DATA, a folder with rafdb/ ferplus/ affectnet/",
    )
    which.add_argument(
        "--datasets",
        nargs="+",
        metavar="NAME",
        help="data sets, as --list names them (default: those of --data, else faces)",
    )
    which.add_argument(
        "--methods", nargs="+", metavar="NAME", help="methods, as --list names them (default: those of the table)"
    )
    which.add_argument(
        "--noise",
        nargs="+",
        metavar="KIND",
        help="noises, as --list names them; file:PATH for a list (default: those of the table)",
    )
    which.add_argument(
        "--rates",
        nargs="+",
        metavar="RATE",
        help="shares of wrong labels, 0 to 1, as 0.1 0.3 (default: those of the table)",
    )
    which.add_argument(
        "--seeds", nargs="+", metavar="SEED", help="values: 0 1 2, or 0-4 (default: as many as the scale has)"
    )
    which.add_argument(
        "--preset",
        choices=("comparison", "as_published"),
        default="comparison",
        help="one backbone and weights for all, or each program's own (default: comparison)",
    )
    which.add_argument(
        "--weights",
        metavar="PATH|landmarks|imagenet|random",
        help="start weights: a file, made here from landmarks, published by torchvision or timm, or random numbers",
    )
    which.add_argument(
        "--weights2",
        metavar="PATH|random",
        help="start weights of a method's second network (default: those of the first)",
    )
    which.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME.option=value",
        help="an option of a method, a data set, recipe or backbone, as lanet.queue=4096, recipe.epochs=5 or "
        "backbone.name=torchvision/resnet34; may be repeated",
    )
    which.add_argument(
        "--methods-path",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder with methods, noises, data sets and backbones of your own; may be repeated",
    )
    which.add_argument(
        "--precision",
        choices=("fp32", "bf16", "auto"),
        default="auto",
        help="of the backbone (default: auto, bf16 where the hardware has it)",
    )
    which.add_argument(
        "--rule",
        choices=tuple(RULES),
        default="last",
        help="which accuracy the tables show: of the last epoch, of the best on the test images, the mean of the last "
        "five, or of the epoch that noisy held-out labels choose (default: last)",
    )
    which.add_argument(
        "--settings",
        choices=("chosen", "published"),
        default="chosen",
        help="a method's own settings at demo and small scale: chosen by the same search for all, or as published "
        "(default: chosen)",
    )
    which.add_argument(
        "--draws",
        type=int,
        default=16,
        metavar="K",
        help="settings that the search tries for each method, for --table tuned and its figures (default: 16)",
    )
    which.add_argument(
        "--tune",
        choices=("all", "own"),
        default="all",
        help="what the search draws: the learning rate and the method's own options, or its own alone (default: all)",
    )
    which.add_argument(
        "--floor",
        action="store_true",
        help="rows below a table: the largest class, and the baseline on correct and on clean labels",
    )
    which.add_argument(
        "--against",
        metavar="reference|FOLDER|ZIP",
        help="take rows that you have not measured from the records that ship, or from others'",
    )
    how = p.add_argument_group("how they are run (never part of a job's identity)")
    how.add_argument(
        "--workers",
        default="auto",
        metavar="N|auto",
        help="jobs at once (default: auto, one a core or a slot of a GPU)",
    )
    how.add_argument(
        "--devices", metavar="cpu|cuda|cuda:0,cuda:1", help="where they train (default: all GPUs, else cpu)"
    )
    how.add_argument("--per-gpu", type=int, default=1, metavar="K", help="jobs side by side on one GPU (default: 1)")
    how.add_argument(
        "--cluster", metavar="ADDRESS", help="of a Dask scheduler whose workers run the jobs, as tcp://host:8786"
    )
    how.add_argument(
        "--shard",
        metavar="I/N|slurm",
        help="run part I (0 to N-1) of the jobs and draw nothing; slurm: a task of a SLURM array takes its part first, "
        "then what no other task has",
    )
    how.add_argument("--fast", action="store_true", help="give up equal bits on GPUs; recorded")
    how.add_argument("--no-graphs", action="store_true", help="no CUDA graphs on GPUs; recorded")
    how.add_argument(
        "--keep-weights",
        action="store_true",
        help="keep each trained network beside its record; a run that is done without is trained again for it",
    )
    how.add_argument("--limit", type=parse_decimal, metavar="SECONDS", help="kill a job that runs longer")
    how.add_argument("--retry-failed", action="store_true", help="try failed jobs again, whatever their failure was")
    how.add_argument("--force", action="store_true", help="run again what is done, and keep the old records aside")
    how.add_argument("--fail-fast", action="store_true", help="stop at the first job that fails")
    also = p.add_argument_group("instead of running")
    also.add_argument("--plan", action="store_true", help="print the jobs, the expected time and disk; train nothing")
    also.add_argument("--draw", action="store_true", help="draw from what has been measured; train nothing")
    also.add_argument("--import", dest="imported", metavar="FOLDER|ZIP", help="add others' records after checking them")
    also.add_argument("--reproduce", metavar="ID", help="run one job again and compare")
    where = p.add_argument_group("where")
    where.add_argument(
        "--results",
        type=Path,
        default=Path("results/runs"),
        metavar="DIR",
        help="where records are kept (default: results/runs)",
    )
    where.add_argument(
        "--out",
        type=Path,
        default=Path("reports/out"),
        metavar="DIR",
        help="where tables and figures go (default: reports/out)",
    )
    shown = p.add_argument_group("how it is shown")
    shown.add_argument(
        "--metric",
        choices=tuple(METRICS),
        default="accuracy",
        help="the number in tables and figures of accuracy: of all images, mean over classes, F1, or of the worst class",
    )
    shown.add_argument("--decimals", type=int, default=1, metavar="N", help="behind the point, 0 to 6 (default: 1)")
    shown.add_argument(
        "--spread",
        choices=tuple(SPREADS),
        default="sd",
        help="behind ± and as bands: sample standard deviation, standard error, or half of the 95 %% interval over seeds",
    )
    shown.add_argument(
        "--column-width", type=parse_decimal, metavar="INCHES", help="of the column of a paper that figures have to fit"
    )
    shown.add_argument("--no-ranks", action="store_true", help="tables of accuracy without the column of ranks")
    shown.add_argument(
        "--log-base", choices=("2", "e"), default="2", help="of the Jensen-Shannon divergence (default: 2)"
    )
    shown.add_argument("--root", action="store_true", help="show its square root (a distance)")
    shown.add_argument("--study", type=Path, metavar="CSV", help="your own study of people: image, one column a class")
    return p
