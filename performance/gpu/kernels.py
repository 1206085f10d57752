"""Item 4: where a step's time goes on the card: launches, idle share, host time, largest kernels, use of the peaks."""

import time
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmark.train.loop import train_epoch
from performance.gpu.card import peaks
from performance.gpu.course import Notes
from performance.gpu.setting import Setting

METHODS = ("baseline", "eac", "lanet")
LARGEST = 10


class Bytes(TorchDispatchMode):
    """Bytes of the inputs and outputs of every operation that computes: its traffic if no cache keeps anything."""

    total = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = function(*args, **(kwargs or {}))
        if not function.is_view:
            seen = [part for part in tree_leaves((args, kwargs, found)) if isinstance(part, torch.Tensor)]
            self.total += sum(part.numel() * part.element_size() for part in seen)
        return found


def kernels(setting: Setting, notes: Notes) -> None:
    most = peaks(setting)
    notes["peaks"] = most
    for name in METHODS[:1] if setting.rehearse else METHODS:
        notes.attempt(lambda name=name: of_method(setting, notes, name, most), method=name)


def of_method(setting: Setting, notes: Notes, name: str, most: dict[str, float]) -> dict[str, Any]:
    """A step's figures: time without the profiler, launches and kernel time with it, operations and bytes by counting."""
    made = setting.trainer(name)
    steps = made.run.steps_per_epoch
    for epoch in (1, 2):
        made.clock.parts.clear()
        setting.wait()
        start = time.perf_counter()
        train_epoch(made, epoch)
        setting.wait()
        milliseconds = 1000 * (time.perf_counter() - start) / steps
    host = 1000 * sum(made.clock.parts.values()) / steps
    row: dict[str, Any] = {"batch": made.recipe.batch_size, "ms": milliseconds, "host ms": host}
    row |= profiled(setting, notes, made, name, milliseconds)
    with FlopCounterMode(display=False) as counted, Bytes() as moved:
        train_epoch(made, 4)
    flops, traffic = counted.get_total_flops() / steps, moved.total / steps
    row |= {"GFLOP": flops / 1e9, "TFLOP/s": flops / milliseconds / 1e9}
    row |= {"share of bf16 peak": flops / milliseconds / 1e9 / most["bf16 TFLOP/s"]}
    row |= {"GB": traffic / 1e9, "GB/s": traffic / milliseconds / 1e6}
    return row | {"share of copy peak": traffic / milliseconds / 1e6 / most["copy GB/s"]}


def profiled(setting: Setting, notes: Notes, made: Any, name: str, milliseconds: float) -> dict[str, Any]:
    """Launches, kernel milliseconds and idle share of a step; the largest kernels go to the notes."""
    if not setting.cuda:
        return {"launches": "needs a card"}
    steps = made.run.steps_per_epoch
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        train_epoch(made, 3)
        setting.wait()
    ran = [e for e in seen.key_averages() if e.device_type == DeviceType.CUDA and "#" not in e.key]
    busy = sum(e.self_device_time_total for e in ran) / 1000 / steps
    largest = sorted(ran, key=lambda e: -e.self_device_time_total)[:LARGEST]
    notes[f"largest kernels of {name}, ms a step"] = {
        e.key[:80]: e.self_device_time_total / 1000 / steps for e in largest
    }
    return {"launches": sum(e.count for e in ran) / steps, "kernel ms": busy, "idle share": 1 - busy / milliseconds}
