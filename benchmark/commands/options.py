"""Every option of `run_all.py`, with what it does and which values there are."""

import argparse
import os
from pathlib import Path
from typing import Any

from benchmark.commands import command_line
from benchmark.commands.arguments import parse_decimal, parse_rate, parse_workers
from benchmark.plan.experiments import EXPERIMENTS
from benchmark.scale import SCALES
from benchmark.terminal import Usage
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


PATHS = ("weights", "weights2", "against", "imported")  # that are kept as texts


class RunParser(command_line.Parser):
    def read(self, words: list[str]) -> argparse.Namespace:
        """The arguments, with ~ in paths resolved; raises Usage."""
        args = super().read(words)
        for name in PATHS:
            if value := getattr(args, name):
                setattr(args, name, os.path.expanduser(value))
        args.methods_path = [os.path.expanduser(path) for path in args.methods_path]
        if args.results.is_file():
            raise Usage(f"--results {args.results}: a file, not a folder; what others sent is read by --import")
        return args


def experiment_names(kind: str) -> str:
    """The tables or figures by name, for a line of help."""
    return ", ".join(e.name for e in EXPERIMENTS if e.kind == kind)


def add_option(group: argparse._ArgumentGroup, usage: str, help_text: str, **more: Any) -> None:
    """usage: '--floor' takes no value, '--weights PATH' takes one, '--rates RATE ...' several."""
    option, _, metavar = usage.partition(" ")
    if metavar.endswith(" ..."):
        more["nargs"] = "+"
    if metavar:
        more["metavar"] = metavar.removesuffix(" ...")
    elif "choices" not in more:
        more["action"] = "store_true"
    group.add_argument(option, help=help_text, **more)


def parser() -> RunParser:
    p = RunParser(
        "python run_all.py",
        usage=HELP.replace("%", "%%"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    repeated: dict[str, Any] = {"action": "append", "default": []}
    what = p.add_argument_group("what to show")
    add_option(what, "--table NAME", f"a table: {experiment_names('table')}", **repeated)
    add_option(what, "--figure NAME", f"a figure: {experiment_names('figure')}", **repeated)
    sweep_help = "a figure of accuracy against one option: of a method, recipe or backbone; may be repeated"
    add_option(what, "--sweep NAME.option=V1,V2,...", sweep_help, **repeated)
    add_option(what, "--all", "every table and figure but optional ones, and report.html")
    add_option(what, "--with TABLE ...", "optional tables into --all, as later", dest="also", default=[])
    add_option(what, "--list", "print methods, data sets, noises, tables and figures")
    which = p.add_argument_group("which runs")
    scale_help = "how large a run is (default: demo; paper for real data on a GPU)"
    add_option(which, "--scale", scale_help, choices=tuple(SCALES))
    data_help = "where a real data set lies; may be repeated; or FER_DATA, a folder with rafdb/ ferplus/ affectnet/"
    add_option(which, "--data NAME=PATH", data_help, **repeated)
    add_option(which, "--datasets NAME ...", "data sets, as --list names them (default: those of --data, else faces)")
    add_option(which, "--methods NAME ...", "methods, as --list names them (default: those of the table)")
    noise_help = "noises, as --list names them; file:PATH for a list (default: those of the table)"
    add_option(which, "--noise KIND ...", noise_help)
    rates_help = "shares of wrong labels, 0 to 1, as 0.1 0.3 (default: those of the table)"
    add_option(which, "--rates RATE ...", rates_help, type=parse_rate)
    add_option(which, "--seeds SEED ...", "values: 0 1 2, or 0-4 (default: as many as the scale has)")
    preset_help = "one backbone and weights for all, or each program's own (default: comparison)"
    add_option(which, "--preset", preset_help, choices=("comparison", "as_published"), default="comparison")
    add_option(
        which,
        "--weights PATH|landmarks|imagenet|random",
        "start weights: a file, made here from landmarks, published by torchvision or timm, or random numbers",
    )
    weights2_help = "start weights of a method's second network (default: those of the first)"
    add_option(which, "--weights2 PATH|random", weights2_help)
    set_help = (
        "an option of a method, a data set, recipe or backbone, as lanet.queue=4096, recipe.epochs=5 or "
        "backbone.name=torchvision/resnet34; may be repeated"
    )
    add_option(which, "--set NAME.option=value", set_help, **repeated)
    plugins_help = "a folder with methods, noises, data sets and backbones of your own; may be repeated"
    add_option(which, "--methods-path DIR", plugins_help, **repeated)
    precision_help = "of the backbone (default: auto, bf16 where the hardware has it)"
    add_option(which, "--precision", precision_help, choices=("fp32", "bf16", "auto"), default="auto")
    rule_help = (
        "which accuracy the tables show: of the last epoch, of the best on the test images, the mean of the last "
        "five, or of the epoch that noisy held-out labels choose (default: last)"
    )
    add_option(which, "--rule", rule_help, choices=tuple(RULES), default="last")
    settings_help = (
        "a method's own settings at demo and small scale: chosen by the same search for all, or as published "
        "(default: chosen)"
    )
    add_option(which, "--settings", settings_help, choices=("chosen", "published"), default="chosen")
    draws_help = "settings that the search tries for each method, for --table tuned and its figures (default: 16)"
    add_option(which, "--draws K", draws_help, type=int, default=16)
    tune_help = "what the search draws: the learning rate and the method's own options, or its own alone (default: all)"
    add_option(which, "--tune", tune_help, choices=("all", "own"), default="all")
    floor_help = "rows below a table: the largest class, and the baseline on correct and on clean labels"
    add_option(which, "--floor", floor_help)
    against_help = "take rows that you have not measured from the records that ship, or from others'"
    add_option(which, "--against reference|FOLDER|ZIP", against_help)
    how = p.add_argument_group("how they are run (never part of a job's identity)")
    workers_help = "jobs at once (default: auto, one a core or a slot of a GPU)"
    add_option(how, "--workers N|auto", workers_help, type=parse_workers, default="auto")
    add_option(how, "--devices cpu|cuda|cuda:0,cuda:1", "where they train (default: all GPUs, else cpu)")
    add_option(how, "--per-gpu K", "jobs side by side on one GPU (default: 1)", type=int, default=1)
    add_option(how, "--cluster ADDRESS", "of a Dask scheduler whose workers run the jobs, as tcp://host:8786")
    shard_help = (
        "run part I (0 to N-1) of the jobs and draw nothing; slurm: a task of a SLURM array takes its part first, "
        "then what no other task has"
    )
    add_option(how, "--shard I/N|slurm", shard_help)
    add_option(how, "--fast", "give up equal bits on GPUs; recorded")
    add_option(how, "--no-graphs", "no CUDA graphs on GPUs; recorded")
    keep_help = "keep each trained network beside its record; a run that is done without is trained again for it"
    add_option(how, "--keep-weights", keep_help)
    add_option(how, "--limit SECONDS", "kill a job that runs longer", type=parse_decimal)
    add_option(how, "--retry-failed", "try failed jobs again, whatever their failure was")
    add_option(how, "--force", "run again what is done, and keep the old records aside")
    add_option(how, "--fail-fast", "stop at the first job that fails")
    also = p.add_argument_group("instead of running")
    add_option(also, "--plan", "print the jobs, the expected time and disk; train nothing")
    add_option(also, "--draw", "draw from what has been measured; train nothing")
    add_option(also, "--import FOLDER|ZIP", "add others' records after checking them", dest="imported")
    add_option(also, "--reproduce ID", "run one job again and compare")
    where = p.add_argument_group("where")
    results_help = "where records are kept (default: results/runs)"
    add_option(where, "--results DIR", results_help, type=Path, default=Path("results/runs"))
    out_help = "where tables and figures go (default: reports/out)"
    add_option(where, "--out DIR", out_help, type=Path, default=Path("reports/out"))
    shown = p.add_argument_group("how it is shown")
    add_option(
        shown,
        "--metric",
        "the number in tables and figures of accuracy: of all images, mean over classes, F1, or of the worst class",
        choices=tuple(METRICS),
        default="accuracy",
    )
    add_option(shown, "--decimals N", "behind the point, 0 to 6 (default: 1)", type=int, default=1)
    add_option(
        shown,
        "--spread",
        "behind ± and as bands: sample standard deviation, standard error, or half of the 95 %% interval over seeds",
        choices=tuple(SPREADS),
        default="sd",
    )
    width_help = "of the column of a paper that figures have to fit"
    add_option(shown, "--column-width INCHES", width_help, type=parse_decimal)
    add_option(shown, "--no-ranks", "tables of accuracy without the column of ranks")
    add_option(shown, "--log-base", "of the Jensen-Shannon divergence (default: 2)", choices=("2", "e"), default="2")
    add_option(shown, "--root", "show its square root (a distance)")
    add_option(shown, "--study CSV", "your own study of people: image, one column a class", type=Path)
    return p
