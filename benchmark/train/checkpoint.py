"""Where an interrupted run goes on: everything that an epoch leaves behind, in one file."""

import hashlib
import io
from pathlib import Path

import torch

from benchmark.source_code import hash_code
from benchmark.train.trainer import State, Trainer
from results.files import write_bytes
from results.store import Store

SEAL = 32  # bytes of a SHA-256


def save(trainer: Trainer) -> None:
    """Write a checkpoint; where it cannot be written, training goes on without."""
    state = mark(trainer) | {
        "epoch": trainer.state.epoch,
        "history": trainer.state.history,
        "predictions": trainer.state.predictions,
        "margin": trainer.state.margin,
        "method": trainer.method.state_dict(),
        "optimiser": trainer.optimiser.state_dict(),
        "seconds": trainer.clock.parts,
    }
    content = io.BytesIO()
    torch.save(state, content)
    try:
        write_bytes(checkpoint(trainer), seal(content.getvalue()))
    except OSError as error:
        print(f"{checkpoint(trainer)}: no checkpoint written: {error.strerror}", flush=True)


def checkpoint(trainer: Trainer) -> Path:
    return Store(Path(trainer.place.results)).checkpoint(trainer.job.id)


def seal(content: bytes) -> bytes:
    """The content after its own hash: torch reads a file in which single bytes have changed without a word."""
    return hashlib.sha256(content).digest() + content


def mark(trainer: Trainer) -> dict[str, str]:
    """What must be the same for a checkpoint to be gone on from: else a run would be half of one thing, half of another."""
    on = trainer.place.device + (" fast" if trainer.place.fast else "")
    return {"id": trainer.job.id, "code": hash_code(type(trainer.method)), "torch": str(torch.__version__), "on": on}


def resume(trainer: Trainer) -> bool:
    """Go on from the checkpoint, if there is one; False, and the checkpoint gone, if it cannot be gone on from.

    The trainer may then be half overwritten and has to be made anew.
    """
    path = checkpoint(trainer)
    if not path.exists():
        return True
    try:
        content = path.read_bytes()
        if content != seal(content[SEAL:]):
            raise ValueError("not what was written")
        state = torch.load(io.BytesIO(content[SEAL:]), map_location=trainer.device, weights_only=True)
        if {key: state[key] for key in mark(trainer)} != mark(trainer):
            raise ValueError("made by another version")
        trainer.method.load_state_dict(state["method"])
        trainer.optimiser.load_state_dict(state["optimiser"])
        predictions = [part.cpu() for part in state["predictions"]]
        trainer.state = State(state["epoch"], state["history"], predictions, margin=state["margin"])
        for name, seconds in state["seconds"].items():
            trainer.clock.parts[name] = trainer.clock.parts.get(name, 0.0) + seconds
    except Exception as error:  # torch raises many kinds for a broken file
        print(f"{path}: passed over ({type(error).__name__}: {str(error)[:200]}); the run starts again", flush=True)
        path.unlink()
        return False
    return True
