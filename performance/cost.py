"""What training costs relative to the baseline: `python -m performance.cost [--methods gce sop ...] [--repeats 3]`.

Whole epochs of the engine's own loop at demo scale, survey and hooks included, past every warm-up, all methods in turn.
Prints processor seconds an epoch (which other programs on the machine change little) and the ratio of the medians. One
thread, fp32; evaluation, which is the same for all but those of two networks, is not counted.
"""

import argparse
import time
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

IMAGES, CLASSES = 256, 7


def make_trainer(name: str) -> Trainer:
    """A method on random images, as the engine puts it together at demo scale."""
    cls = plugins.find_methods()[name]
    data = random_data(IMAGES, CLASSES, one_class=False)
    resolved, _ = recipes.resolve_recipe({name: method_info(cls)}, name, {}, DEMO, "comparison", "faces", IMAGES)
    place, spec = Place(results="", data=""), rehearsal_job(cls, "fp32")
    built = assembly.build_method(spec, {"weights": {}, **resolved}, place, data)
    return Trainer(spec, place, data, *built, Clock())


def measure_epochs(names: list[str], repeats: int) -> dict[str, float]:
    """{method: processor seconds of an epoch}, medians; the first turn, an epoch earlier, warms up."""
    made, seconds = {name: make_trainer(name) for name in names}, {name: [] for name in names}
    for turn in range(repeats + 1):
        for name, one in made.items():
            start = time.process_time()
            loop.train_epoch(one, one.recipe.epochs - (turn == 0))
            if turn:
                seconds[name].append(time.process_time() - start)
    return {name: median(found) for name, found in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=sorted(plugins.find_methods()))
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    names = ["baseline", *(name for name in arguments.methods if name != "baseline")]
    text = f"cost: {DEMO.name} scale, {IMAGES} images, torch {torch.__version__}, one thread"
    print(f"{text}, median of {arguments.repeats} epochs, all methods in turn")
    found = measure_epochs(names, arguments.repeats)
    for name, seconds in found.items():
        print(f"cost: {name:<16} {seconds:6.2f} s an epoch: {seconds / found['baseline']:5.2f}x the baseline")


if __name__ == "__main__":
    main()
