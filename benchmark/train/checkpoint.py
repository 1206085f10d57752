"""Where an interrupted run goes on: everything that an epoch leaves behind, in one file."""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from benchmark.source_code import hash_code
from benchmark.train.trainer import State, Trainer
from results.files import write_bytes
from results.store import Store

SEAL = 32  # bytes of a SHA-256


def save_checkpoint(trainer: Trainer) -> None:
    """Write a checkpoint; where it cannot be written, training goes on without."""
    content = io.BytesIO()
    torch.save(collect_state(trainer), content)
    try:
        write_bytes(checkpoint_path(trainer), seal_content(content.getvalue()))
    except OSError as error:
        print(f"{checkpoint_path(trainer)}: no checkpoint written: {error.strerror}", flush=True)


def collect_state(trainer: Trainer) -> dict[str, Any]:
    """What an epoch leaves behind, in tensors, numbers and names: values, and what decides which of them are trained."""
    method = trainer.method
    return resume_conditions(trainer) | {
        "epoch": trainer.state.epoch,
        "history": trainer.state.history,
        "predictions": trainer.state.predictions,
        "margin": trainer.state.margin,
        "method": method.state_dict(),
        "requires_grad": {name: parameter.requires_grad for name, parameter in method.named_parameters()},
        "training": {name: module.training for name, module in method.named_modules()},
        "optimised": name_optimised(trainer),
        "optimiser": trainer.optimiser.state_dict(),
        "seconds": trainer.clock.parts,
    }


def restore_state(trainer: Trainer, state: dict[str, Any]) -> None:
    """Put back what `collect_state` took; raises what torch raises where it does not fit the method."""
    method = trainer.method
    method.load_state_dict(state["method"])
    for name, parameter in method.named_parameters():
        parameter.requires_grad_(state["requires_grad"][name])
    for name, module in method.named_modules():
        module.training = state["training"][name]
    if name_optimised(trainer) != state["optimised"]:
        raise RuntimeError("the optimiser has other parameters than before")
    trainer.optimiser.load_state_dict(state["optimiser"])
    predictions = [epoch_predictions.cpu() for epoch_predictions in state["predictions"]]
    trainer.state = State(state["epoch"], state["history"], predictions, margin=state["margin"])
    for name, seconds in state["seconds"].items():
        trainer.clock.parts[name] = trainer.clock.parts.get(name, 0.0) + seconds


def name_optimised(trainer: Trainer) -> list[list[str]]:
    """The names of the parameters in each group of the optimiser; '' for one that the method has given up since."""
    names = {id(parameter): name for name, parameter in trainer.method.named_parameters()}
    return [[names.get(id(p), "") for p in group["params"]] for group in trainer.optimiser.param_groups]


def checkpoint_path(trainer: Trainer) -> Path:
    return Store(Path(trainer.place.results)).checkpoint(trainer.job.id)


def seal_content(content: bytes) -> bytes:
    """The content after its own hash: torch reads a file in which single bytes have changed without a word."""
    return hashlib.sha256(content).digest() + content


def resume_conditions(trainer: Trainer) -> dict[str, str]:
    """What must be the same for a checkpoint to be gone on from: else a run would be half of one thing, half of another."""
    device_text = trainer.place.device + (" fast" if trainer.place.fast else "")
    return {
        "id": trainer.job.id,
        "code": hash_code(type(trainer.method)),
        "torch": str(torch.__version__),
        "on": device_text,
    }


def resume_training(trainer: Trainer) -> bool:
    """Go on from the checkpoint, if there is one; False, and the checkpoint gone, if it cannot be gone on from.

    The trainer may then be half overwritten and has to be made anew.
    """
    path = checkpoint_path(trainer)
    if not path.exists():
        return True
    try:
        content = path.read_bytes()
        if content != seal_content(content[SEAL:]):
            raise ValueError("not what was written")
        state = torch.load(io.BytesIO(content[SEAL:]), map_location=trainer.device, weights_only=True)
        if {key: state[key] for key in resume_conditions(trainer)} != resume_conditions(trainer):
            raise ValueError("made by another version")
        restore_state(trainer, state)
    except Exception as error:  # torch raises many kinds for a broken file
        print(f"{path}: passed over ({type(error).__name__}: {str(error)[:200]}); the run starts again", flush=True)
        path.unlink()
        return False
    return True
