"""A CUDA device that is not there: the engine and the methods run as on one, on a machine without.

Every tensor is a CPU tensor with real values, and it is noted which storages "lie on the card". One mode answers what
is asked of torch (`device=`, `.to`, `.device`, `generator=`), the other follows every operation, backward and optimiser
included. What CUDA would refuse is raised: tensors on two devices, a generator of the other device, `.numpy()`, an
operation without a deterministic form. What the host would wait for is noted: values that it reads, shapes that depend
on values, copies from pageable memory. torch's FakeTensorMode can do neither: its backward pass asks for a driver, and
without values there is no epoch. Not seen: kernels, memory, streams.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from benchmark.check import card_rules
from benchmark.check.pretended_graph import Capture, graph_class
from benchmark.check.pretended_notes import CARD, HOST, UNPLACED, Places, Seen, project_line, tensors_in
from benchmark.train import augment
from benchmark.train.trainer import Clock
from methods.lanet import parts

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")
REAL_GENERATOR, REAL_AUTOCAST, REAL_LOAD = torch.Generator, torch.autocast, torch.load
REAL_GROUPS = torch.optim.Optimizer._group_tensors_by_device_and_dtype


class CardError(RuntimeError):
    """What CUDA would have refused."""


class PretendedGenerator(REAL_GENERATOR):
    """A CPU generator that says it is the device's it was made for."""

    def __new__(cls, device: Any = "cpu") -> "PretendedGenerator":
        made = super().__new__(cls, "cpu")
        made.said = CUDA if torch.device(device).type == "cuda" else CPU
        return made

    def __init__(self, device: Any = "cpu") -> None:
        """Nothing more: torch's own takes no device that is not there."""

    @property
    def device(self) -> torch.device:
        return self.said


class Operations(TorchDispatchMode):
    """Follows every operation: what it makes lies where its inputs lie."""

    def __init__(self, card: "Card") -> None:
        super().__init__()
        self.card = card

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        card = self.card
        kwargs = kwargs or {}
        places = card.places
        input_tensors = tensors_in((args, kwargs))
        on_card = any(places[t] == CARD for t in input_tensors)
        if on_card:
            self.judge(func, args, [t for t in input_tensors if places[t] == HOST])
        capture = card.capture if on_card or card.placing == CARD else None
        result = capture.run(func, args, kwargs) if capture else func(*args, **kwargs)
        on_host = any(places[t] == HOST for t in input_tensors)
        result_place = CARD if on_card else HOST if on_host else card.placing or UNPLACED
        made_tensors = [t for t in tensors_in(result) if not (func in card_rules.MOVES and t is args[0])]
        for tensor in made_tensors + [t for t in input_tensors if places[t] == UNPLACED and result_place]:
            places[tensor] = result_place
        if result_place == CARD:
            card.seen.operation(func)
        return result

    def judge(self, func: Any, args: Any, on_host: list[Tensor]) -> None:
        """Raise what CUDA would raise, note what it would wait for."""
        first_on_host = bool(args) and any(args[0] is t for t in on_host)
        refusal = card_rules.why_refused(func, args, on_host, first_on_host)
        if refusal:
            raise CardError(f"{refusal} ({project_line()})")
        for kind, wait_reason in card_rules.find_waits(func, args, on_host):
            self.card.seen.wait(kind, wait_reason)
        if func is torch.ops.aten.copy_.default and on_host and not self.card.is_pinned(args[1]):
            self.card.seen.wait("read" if first_on_host else "upload", "copy_")


class Questions(TorchFunctionMode):
    """Answers what is asked of devices, and turns what is made on CUDA into what is made in main memory."""

    def __init__(self, card: "Card") -> None:
        super().__init__()
        self.card = card

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        card = self.card
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        first_tensor = args[0] if args and isinstance(args[0], Tensor) else None
        if first_tensor is None:
            return self.make(func, name, None, args, kwargs)
        on_card = card.places[first_tensor] == CARD
        if name == "__get__":
            property_asked = getattr(func, "__self__", None)
            answers = {Tensor.device: CUDA if on_card else CPU, Tensor.is_cuda: on_card, Tensor.is_cpu: not on_card}
            return answers[property_asked] if property_asked in answers else func(*args, **kwargs)
        if on_card and name in ("numpy", "__array__"):
            raise CardError(f"can't convert a cuda:0 tensor to numpy ({project_line()})")
        if on_card and name in ("tolist", "__repr__", "__format__"):
            card.seen.wait("read", name)
        if name in ("to", "cpu", "cuda"):
            return self.move(name, first_tensor, list(args[1:]), kwargs)
        if name == "pin_memory":
            return card.pin(first_tensor.clone())
        if name == "one_hot" and on_card and len(args) > 1:  # on CUDA it does not look at the values
            return first_tensor.new_zeros((*first_tensor.shape, args[1])).scatter_(-1, first_tensor[..., None], 1)
        if name == "record_stream":
            return None
        if name == "__deepcopy__":
            copied_tensor = func(*args, **kwargs)
            card.places[copied_tensor] = CARD if on_card else HOST
            return copied_tensor
        return self.make(func, name, first_tensor, args, kwargs)

    def make(self, func: Any, name: str, first_tensor: Tensor | None, args: Any, kwargs: dict[str, Any]) -> Any:
        """Call torch with the device taken out of the question, and note where the result lies."""
        card = self.card
        device = kwargs.get("device")
        pinned = kwargs.pop("pin_memory", False)
        asked_place = None if device is None else CARD if torch.device(device).type == "cuda" else HOST
        if asked_place:
            kwargs["device"] = "cpu"
        generator = kwargs.get("generator")
        if isinstance(generator, REAL_GENERATOR):
            generator_place = asked_place or (card.places[first_tensor] if first_tensor is not None else HOST)
            if (generator.device.type == "cuda") != (generator_place == CARD):
                devices = f"a generator of {generator.device} for a tensor on the {generator_place}"
                raise CardError(f"{name}: {devices} ({project_line()})")
        if asked_place is None and not pinned and tensors_in((args, kwargs)):
            return func(*args, **kwargs)
        if name == "tensor" and asked_place == CARD:
            card.seen.wait("upload", "torch.tensor")
        place_before = card.placing
        card.placing = asked_place or HOST
        try:
            result = func(*args, **kwargs)
        finally:
            card.placing = place_before
        for tensor in tensors_in(result) if asked_place or "_like" not in name else ():
            card.places[tensor] = asked_place or HOST
        return card.pin(result) if pinned else result

    def move(self, name: str, tensor: Tensor, positional_arguments: list[Any], kwargs: dict[str, Any]) -> Tensor:
        """`.to`, `.cpu` and `.cuda`, in every form that they can be written."""
        card = self.card
        target = {"cpu": HOST, "cuda": CARD}.get(name)
        device = kwargs.pop("device", None)
        other_tensor = kwargs.pop("other", None)
        if positional_arguments and isinstance(positional_arguments[0], Tensor):
            other_tensor = positional_arguments.pop(0)
        elif positional_arguments and isinstance(positional_arguments[0], str | torch.device | int | None):
            device = positional_arguments.pop(0)
        if other_tensor is not None:
            target = card.places[other_tensor]
            kwargs["dtype"] = other_tensor.dtype
        elif target is None and device is not None:
            target = CARD if torch.device(device).type == "cuda" else HOST
        argument_order = ("non_blocking", "copy") if other_tensor is not None else ("dtype", "non_blocking", "copy")
        kwargs |= dict(zip(argument_order if name == "to" else ("non_blocking",), positional_arguments))
        at_once = kwargs.pop("non_blocking", False) and card.is_pinned(tensor)
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        if target in (None, card.places[tensor]):
            return Tensor.to(tensor, **kwargs) if kwargs else tensor
        if target == HOST:
            card.seen.wait("read", f"{tuple(tensor.shape)} {tensor.dtype} to main memory")
        elif not at_once:
            card.seen.wait("upload", f"{tuple(tensor.shape)} {tensor.dtype} from pageable memory")
        moved_tensor = Tensor.to(tensor, **kwargs | {"copy": True})
        card.places[moved_tensor] = target
        return moved_tensor


class Stream:
    """Streams and events of the pretended card: everything is done at once."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.device = CUDA

    def nothing(self, *_: Any) -> None:
        """Nothing to wait for and nothing to remember."""

    wait_event = wait_stream = record = wait = synchronize = nothing


class Card:
    """A pretended card. free: bytes of its memory that are free."""

    def __init__(self, free: int = 80 * 2**30) -> None:
        self.places = Places()
        self.seen = Seen()
        self.free = free
        self.placing = UNPLACED  # where what is being made without inputs will lie
        self.pinned: dict[int, StorageWeakRef] = {}
        self.capture: Capture | None = None

    def pin(self, tensor: Tensor) -> Tensor:
        self.places[tensor] = HOST
        storage = tensor.untyped_storage()
        self.pinned[storage._cdata] = StorageWeakRef(storage)
        return tensor

    def is_pinned(self, tensor: Tensor) -> bool:
        pinned_storage = self.pinned.get(tensor.untyped_storage()._cdata)
        return pinned_storage is not None and not pinned_storage.expired()

    def autocast(self, device_type: str, *args: Any, **kwargs: Any) -> Any:
        return REAL_AUTOCAST("cpu", *args, **kwargs)

    def grouped(self, tensors: Any, *more: Any, **named: Any) -> Any:
        """What an optimiser groups by device, with the devices that the tensors pretend to lie on."""
        groups = REAL_GROUPS(tensors, *more, **named)
        return {(tensors_in(group)[0].device, dtype): group for (_, dtype), group in groups.items()}

    def load(self, file: Any, map_location: Any = None, **kwargs: Any) -> Any:
        loaded = REAL_LOAD(file, map_location="cpu", **kwargs)
        for tensor in tensors_in(loaded):
            self.places[tensor] = CARD if map_location and torch.device(map_location).type == "cuda" else HOST
        return loaded

    @contextmanager
    def there(self) -> Iterator["Card"]:
        """Everything in the block, in this thread, sees one CUDA device."""
        instead = {
            torch: {"Generator": PretendedGenerator, "autocast": self.autocast, "load": self.load},
            torch.optim.Optimizer: {"_group_tensors_by_device_and_dtype": staticmethod(self.grouped)},
            torch.cuda: {
                "mem_get_info": lambda *_: (self.free, self.free),
                "get_device_name": lambda *_: "pretended",
                "max_memory_allocated": lambda *_: 0,
                "get_rng_state": lambda *_: torch.get_rng_state(),
                "set_rng_state": lambda drawn, *_: torch.set_rng_state(drawn),
                "synchronize": lambda *_: self.seen.wait("read", "synchronize"),
                "current_stream": Stream,
                "Stream": Stream,
                "Event": Stream,
                "stream": lambda *_: nullcontext(),
                "CUDAGraph": graph_class(self),
                "graph": lambda graph, **_: graph.capturing(),
            },
        }
        forget_constants()
        with ExitStack() as stack:
            for owner, names in instead.items():
                for name, value in names.items():
                    stack.enter_context(mock.patch.object(owner, name, value))
            stack.enter_context(Operations(self))
            stack.enter_context(Questions(self))
            yield self
        forget_constants()


def forget_constants() -> None:
    """What a process keeps on a device that is there, or not there any more."""
    augment._device_constant.cache_clear()
    parts.doubling_matrix.cache_clear()


class Parts(Clock):
    """The engine's clock, telling a card which part of the work runs."""

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        part_before = self.seen.part
        self.seen.part = name
        try:
            with super().part(name):
                yield
        finally:
            self.seen.part = part_before


def clock_of(card: Card) -> Parts:
    clock = Parts()
    clock.seen = card.seen
    return clock
