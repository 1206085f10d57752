"""Item 4: the bits of an epoch in CUDA graphs against those of one without."""

import torch

from benchmark import plugins
from benchmark.train.loop import train_epoch
from performance.gpu.course import Notes
from performance.gpu.setting import FEW, Setting

EPOCHS, SIDE = 3, 64


def compare_graphs(setting: Setting, notes: Notes) -> None:
    """The paper's five at full size, then all others."""
    others = [] if setting.rehearse else sorted(plugins.find_methods().keys() - set(setting.methods))
    for name, side in [*((name, None) for name in setting.methods), *((name, SIDE) for name in others)]:
        notes.measure_row(lambda name=name, side=side: compare_method(setting, name, side), method=name)


def compare_method(setting: Setting, name: str, side: int | None) -> dict[str, object]:
    """What of the method's state and history differs after three epochs."""
    ends = []
    for used in (False, True):
        made = setting.trainer(name, graphs=used, side=side, images=FEW)
        for epoch in range(1, EPOCHS + 1):
            train_epoch(made, epoch)
        state = {key: value.detach().cpu() for key, value in made.method.state_dict().items()}
        ends.append((state, made.state.history))
    differing = [key for key, value in ends[0][0].items() if not torch.equal(value, ends[1][0][key])]
    differing += ["history"] if ends[0][1] != ends[1][1] else []
    return {"graph used": made.steps.used, "differing": len(differing), "first": differing[:3]}
