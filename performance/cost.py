"""What training costs relative to the baseline: `python -m performance.cost [--methods gce sop ...]`.

Whole epochs of the engine's own loop at demo scale, survey and hooks included, past every warm-up, all methods in turn.
Prints processor seconds an epoch (which other programs on the machine change little) and the ratio of the medians. One
thread, fp32; evaluation, which is the same for all but those of two networks, is not counted.
"""

import argparse
import time
from functools import partial
from statistics import median

import torch

from benchmark import plugins
from benchmark.check.rehearsal import random_data, rehearsal_job
from benchmark.plan import recipes
from benchmark.plan.catalogue import method_info
from benchmark.scale import DEMO
from benchmark.task import Place
from benchmark.train import assembly, loop
from benchmark.train.trainer import Clock, Trainer
from performance.turns import time_in_turn

IMAGES, CLASSES, TURNS = 256, 7, 3


def make_trainer(name: str) -> Trainer:
    """A method on random images, as the engine puts it together at demo scale."""
    cls = plugins.find_methods()[name]
    data = random_data(IMAGES, CLASSES, one_class=False)
    resolved, _ = recipes.resolve_recipe({name: method_info(cls)}, name, {}, DEMO, "comparison", "faces", IMAGES)
    place, spec = Place(results="", data=""), rehearsal_job(cls, "fp32")
    built = assembly.build_method(spec, {"weights": {}, **resolved}, place, data)
    return Trainer(spec, place, data, *built, Clock())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=sorted(plugins.find_methods()))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    text = f"cost: {DEMO.name} scale, {IMAGES} images, torch {torch.__version__}, one thread"
    print(f"{text}, median of {TURNS} epochs, all methods in turn")
    trainers = {name: make_trainer(name) for name in dict.fromkeys(["baseline", *arguments.methods])}
    last_epochs = {
        name: partial(loop.train_epoch, trainer, trainer.recipe.epochs) for name, trainer in trainers.items()
    }
    medians = {name: median(seconds) for name, seconds in time_in_turn(last_epochs, TURNS, time.process_time).items()}
    for name, seconds in medians.items():
        print(f"cost: {name:<16} {seconds:6.2f} s an epoch: {seconds / medians['baseline']:5.2f}x the baseline")


if __name__ == "__main__":
    main()
