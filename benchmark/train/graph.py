"""The training step as a CUDA graph: what one step launches is noted, and launched again as a whole for the next ones.

At small batches a step's launches cost more than its work. The same function is the step with a graph and without one. A
graph reads and writes fixed places: buffers for rows and pixels, rates that lie on the card, the method's own state. What
Python works out while it is captured (an epoch, a branch) is frozen in it; `Method.captured_anew` says when that changes.
Before a graph is used it is tried against the step itself, bit by bit; where they differ, steps stay as they are.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from benchmark.train.trainer import Clock, Trainer
from methods.base import Batch, Method

EAGER = 3
TRIED = 2  # steps of the trial


class Watched(Batch):
    """A batch that notes whether a method asks for its epoch."""

    epoch_was_read = False

    def __getattribute__(self, name: str) -> Any:
        Watched.epoch_was_read |= name == "epoch"
        return super().__getattribute__(name)


class StepRunner:
    """How the steps of a job are taken: one by one, or, on a card, from a graph where the method allows it.

    step: the function that takes one, of (trainer, sums, epoch, rows, pixels, kind of batch). eager: whole steps before
    a capture, in which memory, constants and the optimiser's state are made.
    """

    def __init__(self, trainer: Trainer, step: Callable[..., None], allowed: bool = True, eager: int = EAGER) -> None:
        self.trainer = trainer
        self.step = step
        self.eager = eager
        self.allowed = allowed and trainer.device.type == "cuda" and trainer.place.graphs
        self.sums: dict[str, Tensor] = {}
        self.graph: Any = None
        self.key: Any = None
        self.each_epoch = False
        self.whole = self.replays = 0  # whole steps towards a capture; replays whose counts are not yet added
        self.used = False

    def begin(self, epoch: int) -> None:
        """An epoch begins: its sums are zero, and its graph is the last one's if nothing has changed."""
        self.epoch = epoch
        key = self.trainer.method.captured_anew(epoch) if self.allowed else None
        key = (key, epoch) if self.each_epoch and key is not None else key
        if key is None or key != self.key:
            self.graph = None
            self.whole = 0
        if self.graph is not None and self.places != tensor_addresses(self.trainer):
            self.graph = None
        self.key = key
        if self.graph is None:
            self.sums = {}
        for value in self.sums.values():
            value.fill_(-0.0)  # to which a first number is added without a change of its sign

    def take(self, index: Tensor, pixels: Tensor | None) -> None:
        """One step, on the rows `index` (and their pixels, where those lie beside the card)."""
        is_full_batch = self.key is not None and len(index) == self.trainer.recipe.batch_size
        if is_full_batch and self.graph is not None:
            with self.trainer.clock.part("replay"):
                self.index.copy_(index)
                if pixels is not None:
                    self.pixels.copy_(pixels)
                self.replay()
            return
        self.step(self.trainer, self.sums, self.epoch, index, pixels, Batch)
        self.whole += is_full_batch
        if is_full_batch and self.whole >= self.eager:
            with self.trainer.clock.part("capture"):
                self.capture(index, pixels)

    def end(self) -> None:
        """The epoch's steps are taken: counts on the host, which no replay touches, are brought up to date."""
        for count, step_count in self.counts if self.replays else ():
            count.add_(step_count * self.replays)
        self.replays = 0

    def replay(self) -> None:
        self.graph.replay()
        self.replays += 1
        self.used = True

    def capture(self, index: Tensor, pixels: Tensor | None) -> None:
        """Note a step, try the graph, and leave everything as it was; where it is not the step, go on without."""
        self.index = index.clone()
        self.pixels = None if pixels is None else pixels.clone()
        real_clock = self.trainer.clock  # its parts would be counted twice
        self.trainer.clock = Clock()
        state_before = Kept(self)
        used_before = self.used
        Watched.epoch_was_read = False
        try:
            self.note()
            refusal = "" if self.trainer.place.fast else self.trial()
        except RuntimeError as error:
            refusal = str(error).partition("\n")[0]
            self.trainer.generator = torch.Generator(self.trainer.device)  # the other may still take this for a capture
        state_before.put_back()
        self.trainer.clock = real_clock
        self.replays = 0
        self.used = used_before
        if refusal:
            name = self.trainer.method.name
            print(f"{name}: its steps are taken without a CUDA graph: {refusal}", file=sys.stderr, flush=True)
            self.allowed = False
            self.graph = None
            self.key = None
        elif Watched.epoch_was_read and type(self.trainer.method).captured_anew is Method.captured_anew:
            self.each_epoch = True
            self.key = (self.key, self.epoch)

    def note(self) -> None:
        """Capture the step; nothing runs on the card, counts on the host do."""
        trainer = self.trainer
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(trainer.generator)
        host_values = [(value, value.clone()) for value in persistent_tensors(self) if value.is_cpu]
        # not "global", which would forbid the thread that gathers pixels its work
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            self.step(trainer, self.sums, self.epoch, self.index, self.pixels, Watched)
        self.counts = [(value, value - old_value) for value, old_value in host_values]
        self.places = tensor_addresses(trainer)
        for value, old_value in host_values:
            value.copy_(old_value)

    def trial(self) -> str:
        """Two steps and two replays on other rows, at other rates, with other draws; why they differ, or ''."""
        trainer = self.trainer
        for fixed_input in (self.index, self.pixels):
            if fixed_input is not None:
                fixed_input.copy_(fixed_input.flip(0))
        for group in trainer.optimiser.param_groups:
            group["lr"] *= 0.5
        trainer.generator.manual_seed(1)
        torch.manual_seed(1)
        state_before = Kept(self)
        for _ in range(TRIED):
            self.step(trainer, self.sums, self.epoch, self.index, self.pixels, Batch)
        if tensor_addresses(trainer) != self.places:
            return "a step puts something new in the place of a parameter or buffer; change it in place"
        expected = [value.clone() for value in persistent_tensors(self)]
        drawn_states = state_before.draws()
        state_before.put_back()
        for _ in range(TRIED):
            self.replay()
        self.end()
        same_values = all(map(bits_are_equal, expected, persistent_tensors(self)))
        same_draws = all(map(torch.equal, drawn_states, state_before.draws()))
        return "" if same_values and same_draws else "a replay gives other bits than the step"


def persistent_tensors(steps: StepRunner) -> list[Tensor]:
    """Everything that outlives a step: the method's, the optimiser's and the engine's, in an order of its own."""
    trainer = steps.trainer
    tensors = [*trainer.method.parameters(), *trainer.method.buffers(), *steps.sums.values()]
    tensors += filter(torch.is_tensor, tree_leaves(list(trainer.optimiser.state.values())))
    return [value.detach() for value in [*tensors, trainer.state.margin]]


def tensor_addresses(trainer: Trainer) -> list[int]:
    """Where the parameters, the buffers and the optimiser's rates lie, which a graph knows them by, and what is trained."""
    method = trainer.method
    rates = filter(torch.is_tensor, (group["lr"] for group in trainer.optimiser.param_groups))
    training_flags = [*(p.requires_grad for p in method.parameters()), *(m.training for m in method.modules())]
    return [value.data_ptr() for value in [*method.parameters(), *method.buffers(), *rates]] + training_flags


def bits_are_equal(one: Tensor, two: Tensor) -> bool:
    """Equal, not-a-numbers included."""
    return torch.equal(*(value.contiguous().reshape(-1).view(torch.uint8) for value in (one, two)))


class Kept:
    """A job as it is between two steps, to be put back."""

    def __init__(self, steps: StepRunner) -> None:
        self.trainer = trainer = steps.trainer
        self.names = [(module, dict(vars(module)), dict(module._buffers)) for module in trainer.method.modules()]
        attributes = [leaf for _, names, _ in self.names for leaf in tree_leaves(names)]
        rates = [group["lr"] for group in trainer.optimiser.param_groups]
        likely_tensors = (*attributes, *rates, steps.index, steps.pixels)
        fixed_tensors = [*persistent_tensors(steps), *filter(torch.is_tensor, likely_tensors)]
        unique_tensors = {id(value): value for value in fixed_tensors}
        self.values = [(value.detach(), value.detach().clone()) for value in unique_tensors.values()]
        self.drawn = self.draws()

    def draws(self) -> list[Tensor]:
        """Where the generators stand: the job's, torch's on the card and on the host."""
        return [self.trainer.generator.get_state(), torch.cuda.get_rng_state(), torch.get_rng_state()]

    def put_back(self) -> None:
        for module, names, buffers in self.names:
            vars(module).clear()
            vars(module).update(names)
            module._buffers.clear()
            module._buffers.update(buffers)
        for value, held_value in self.values:
            value.copy_(held_value)
        self.trainer.generator.set_state(self.drawn[0])
        torch.cuda.set_rng_state(self.drawn[1])
        torch.set_rng_state(self.drawn[2])
