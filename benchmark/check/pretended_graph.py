"""CUDA graphs of the pretended card: operations noted once, run again on the same tensors, as a real graph does.

Whatever Python worked out while the graph was captured (an epoch, a rate, a branch) is frozen in it, and every tensor
keeps its place. So a step that is captured and should not be ends in other bits here too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves

from benchmark.check import card_rules


class Capture:
    """What ran while a graph was captured. before: what captured operations wrote into, and what it held."""

    def __init__(self) -> None:
        self.ran: list[tuple[Any, Any, Any, Any]] = []
        self.before: dict[int, tuple[Tensor, Tensor]] = {}
        self.made: set[int] = set()

    def run(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Run an operation and note it. A real capture runs nothing: `undo` takes back what this one wrote."""
        if card_rules.name_of(func) in card_rules.READS_A_VALUE | card_rules.SHAPE_FROM_VALUES:
            raise RuntimeError(f"CUDA error: operation not permitted when stream is capturing ({func})")
        for tensor in written_tensors(func, args, kwargs):
            key = tensor.untyped_storage()._cdata
            if key not in self.before and key not in self.made:
                storage_bytes = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
                self.before[key] = (storage_bytes, storage_bytes.clone())
        result = func(*args, **kwargs)
        input_storages = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.untyped_storage()._cdata not in input_storages:
                self.made.add(tensor.untyped_storage()._cdata)
        self.ran.append((func, args, kwargs, result))
        return result

    def undo(self) -> None:
        for storage_bytes, held_bytes in self.before.values():
            storage_bytes.copy_(held_bytes)

    def replay(self) -> None:
        """Run everything again, into the same tensors."""
        for func, args, kwargs, result in self.ran:
            replayed = func(*args, **kwargs)
            for old_tensor, new_tensor in zip(tree_leaves(result), tree_leaves(replayed)):
                if isinstance(old_tensor, Tensor) and old_tensor.data_ptr() != new_tensor.data_ptr():
                    old_tensor.detach().copy_(new_tensor)


def written_tensors(func: Any, args: Any, kwargs: Any) -> Iterator[Tensor]:
    """The tensors that an operation changes in place."""
    for position, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[position] if position < len(args) else kwargs.get(argument.name)
            yield from (leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor))


def graph_class(card: Any) -> type:
    """torch.cuda.CUDAGraph as a card has it; `torch.cuda.graph(g)` is `g.capturing()`."""

    class Graph:
        def __init__(self, *_: Any, **__: Any) -> None:
            self.kept = Capture()
            self.generators = [torch.default_generator]

        def register_generator_state(self, generator: torch.Generator) -> None:
            self.generators.append(generator)

        @contextmanager
        def capturing(self) -> Iterator[None]:
            states = [generator.get_state() for generator in self.generators]
            card.capture = self.kept
            try:
                yield
            finally:
                card.capture = None
                with _disable_current_modes():
                    self.kept.undo()
                for generator, state in zip(self.generators, states):
                    generator.set_state(state)

        def replay(self) -> None:
            card.seen.replays += 1
            with _disable_current_modes(), torch._C.DisableTorchFunction(), torch.no_grad():
                self.kept.replay()

    return Graph
