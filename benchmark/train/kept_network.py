"""A trained network on disk: its tensors as safetensors, and beside them what is needed to build it again, as JSON.

Both files may come from others. Nothing in them is run: the method is found by its name among the methods that are here.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark import plugins
from benchmark.cache import decoded
from benchmark.scale import SCALES, Scale, restore_scale
from benchmark.source_code import hash_code
from benchmark.task import Place
from benchmark.terminal import Usage, error_line, one_of
from benchmark.train.assembly import PRECISION, assemble_method, begin_method
from benchmark.train.device import exact_arithmetic
from benchmark.train.evaluation import predict_probabilities
from benchmark.train.trainer import Trainer
from methods.base import Method, Run
from methods.support.recipe import Recipe, recipe_to_dict
from results.files import digest_bytes, digest_file, write_bytes, write_json
from results.job import Job, json_digest
from results.records import NETWORK, NETWORK_INFO
from results.store import Store

FORMAT = 1
MOST_INFO = 2**20  # bytes of the JSON
MOST_CLASSES = 256
INSTALL = "safetensors is not installed; pip install safetensors"
UNBUILDABLE = (ValueError, TypeError, AttributeError, RuntimeError, KeyError, IndexError, MemoryError, OverflowError)


@dataclass(frozen=True)
class NetworkInfo:
    """What a kept network is; the JSON beside its tensors, a field a key."""

    format: int  # of this file
    id: str  # of the job that trained it: the hash of `spec`
    sha256: str  # of the file of tensors
    code: str  # hash of the method's code that trained it
    device: str  # that trained it, 'cpu' or 'cuda'
    spec: dict[str, Any]  # the job: method and its version, data, noise, seed, scale, precision
    parameters: dict[str, Any]  # of the method
    backbone: str
    side: int  # pixels of an image that the network sees
    channels: int  # 1 (grey) or 3 (RGB)
    normalisation: dict[str, Any]  # mean and std a channel, of pixels from 0 to 1; resize: the filter
    classes: list[str]  # in the order of its outputs
    training: dict[str, Any]  # images, epochs, batch_size, drop_last: sizes of what a method remembers
    stored: dict[str, Any]  # side and channels at which its data set was decoded

    @property
    def job(self) -> Job:
        return Job(**self.spec)

    @property
    def scale(self) -> Scale:
        return restore_scale(self.spec["scale"])


@dataclass(frozen=True)
class Network:
    """A trained method that predicts; what `benchmark.train.evaluation` asks for. notes: what a person should know."""

    info: NetworkInfo
    method: Method
    recipe: Recipe
    run: Run
    device: torch.device
    notes: tuple[str, ...]

    @property
    def channels(self) -> int:
        return self.method.backbone.channels

    @torch.inference_mode()
    def predict(self, images: np.ndarray) -> np.ndarray:
        """[n, C] float32 probabilities of images as the scale trains on them, uint8 [n, S, S, channels]."""
        probabilities = predict_probabilities(self, torch.from_numpy(np.ascontiguousarray(images)))
        return probabilities.cpu().numpy()


# Keeping


def need_safetensors(option: str) -> None:
    """Raises Usage where networks can be neither kept nor read."""
    try:
        import safetensors.torch  # noqa: F401
    except ImportError:
        raise Usage(f"{option}: {INSTALL}") from None


def check_state(method: Method) -> None:
    """Raises ValueError where a method's state cannot be kept; asked before it is trained."""
    need_safetensors("--keep-weights")
    for name, value in method.state_dict().items():
        if not isinstance(value, Tensor):
            raise ValueError(
                f"--keep-weights: the state '{name}' of {method.name} is a {type(value).__name__}; only tensors can be kept, "
                "register it as a buffer"
            )


def keep_network(trainer: Trainer, store: Store) -> None:
    """Write a trained network beside its record."""
    from safetensors.torch import save

    state = trainer.method.state_dict()
    tensor_bytes = save({name: value.detach().cpu().clone().contiguous() for name, value in state.items()})
    path = store.network(trainer.job.id)
    write_bytes(path, tensor_bytes)
    write_json(path.with_suffix(NETWORK_INFO), asdict(network_info(trainer, digest_bytes(tensor_bytes))))


def network_info(trainer: Trainer, sha256: str) -> NetworkInfo:
    """What is needed to build a trained network again."""
    augment = trainer.recipe.augment
    data = decoded.open_decoded(Path(trainer.place.data))
    return NetworkInfo(
        format=FORMAT,
        id=trainer.job.id,
        sha256=sha256,
        code=hash_code(type(trainer.method)),
        device=trainer.place.device,
        spec=trainer.job.spec,
        parameters=asdict(trainer.method.settings),
        backbone=trainer.recipe.backbone,
        side=trainer.run.image_size,
        channels=trainer.channels,
        normalisation={"mean": list(augment.mean), "std": list(augment.std), "resize": augment.resize},
        classes=list(trainer.data.classes),
        training={
            "images": trainer.run.images,
            "epochs": trainer.recipe.epochs,
            "batch_size": trainer.recipe.batch_size,
            "drop_last": trainer.recipe.drop_last,
        },
        stored={"side": int(data.info["size"]), "channels": int(data.info["channels"])},
    )


# Reading


def read_info(weights: Path) -> NetworkInfo:
    """What the network in the file `weights` is; raises Usage for what is missing, wrong or does not fit."""
    path = weights.with_suffix(NETWORK_INFO)
    try:
        if path.stat().st_size > MOST_INFO:
            raise ValueError("larger than 1 MiB")
        values = json.loads(path.read_bytes())
        complaint = find_network_fault(values)
    except FileNotFoundError:
        fault_text = f"{path.name} does not lie beside it"
        raise Usage(f"{weights}: {fault_text}; a network is both files, get that one too") from None
    except (OSError, ValueError, RecursionError) as error:
        complaint = f"cannot be read ({error_line(error)})"
    if complaint:
        raise Usage(f"{path}: {complaint}; get both files anew from whoever trained the network")
    return NetworkInfo(**values)


def find_network_fault(values: Any) -> str | None:
    """Why the JSON of a network cannot be used, None where it can."""
    if not isinstance(values, dict):
        return "not a section of keys"
    if values.get("format") != FORMAT:
        return f"'format' is {values.get('format')!r:.40}, expected {FORMAT}"
    for info_field in fields(NetworkInfo):
        kind = getattr(info_field.type, "__origin__", info_field.type)
        if type(values.get(info_field.name)) is not kind:
            found_text = "missing" if info_field.name not in values else f"{values[info_field.name]!r:.40}"
            return f"'{info_field.name}' is {found_text}, expected a {kind.__name__}"
    if unknown_keys := sorted(values.keys() - {info_field.name for info_field in fields(NetworkInfo)}):
        return f"'{unknown_keys[0]}' is not known"
    fault_of_job = find_fault_of_job(values["spec"], values["id"])
    return fault_of_job or find_fault_of_images(values) or find_fault_of_sizes(values)


def find_fault_of_job(spec: dict[str, Any], job_id: str) -> str | None:
    try:
        job = Job(**spec)
    except TypeError as error:
        return f"'spec' is not that of a job ({error})"
    if json_digest(spec) != job_id:
        return "'spec' does not hash to 'id' (edited?)"
    if not isinstance(job.scale, dict) or job.scale.get("name") not in SCALES:
        return f"'spec.scale' is {job.scale!r:.60}, expected one of {', '.join(SCALES)}"
    if not isinstance(job.noise, dict) or not isinstance(job.data, dict):
        return "'spec.noise' and 'spec.data' are not sections"
    names = (job.noise.get("kind"), job.data.get("name"), job.data.get("fingerprint"), job.method)
    if not all(isinstance(name, str) for name in names) or type(job.seed) is not int or job.precision not in PRECISION:
        return "'spec' lacks the name of its noise, data or method, its seed or its precision"
    return None


def find_fault_of_images(values: dict[str, Any]) -> str | None:
    scale = restore_scale(values["spec"]["scale"])
    normalisation = values["normalisation"]
    if (values["side"], values["channels"]) != (scale.side, scale.channels):
        return (
            f"'side' and 'channels' are {values['side']} and {values['channels']}, those of the {scale.name} scale here are "
            f"{scale.side} and {scale.channels} (made by another version?)"
        )
    for name, smallest in (("mean", -1e6), ("std", 1e-6)):
        numbers = normalisation.get(name)
        if not (isinstance(numbers, list) and len(numbers) == 3 and all(is_number(n, smallest, 1e6) for n in numbers)):
            return f"'normalisation.{name}' is {numbers!r:.40}, expected three numbers"
    if normalisation.get("resize") not in ("bilinear", "bicubic"):
        return f"'normalisation.resize' is {normalisation.get('resize')!r:.40}, expected bilinear or bicubic"
    if not is_number(values["stored"].get("side"), 1, 4096) or values["stored"].get("channels") not in (1, 3):
        return f"'stored' is {values['stored']!r:.60}, expected a side in pixels and 1 or 3 channels"
    return None


def find_fault_of_sizes(values: dict[str, Any]) -> str | None:
    classes = values["classes"]
    training = values["training"]
    are_names = all(isinstance(name, str) and name.isprintable() for name in classes)
    if not are_names or not 2 <= len(classes) <= MOST_CLASSES or len(set(classes)) < len(classes):
        return f"'classes' is {classes!r:.60}, expected 2 to {MOST_CLASSES} different names"
    for name, largest in (("images", 10**9), ("epochs", 10**5), ("batch_size", 10**5)):
        if type(training.get(name)) is not int or not 1 <= training[name] <= largest:
            return f"'training.{name}' is {training.get(name)!r:.40}, expected 1 to {largest:,}"
    if type(training.get("drop_last")) is not bool:
        return "'training.drop_last' is neither true nor false"
    return None


def is_number(value: Any, smallest: float, largest: float) -> bool:
    return type(value) in (int, float) and isfinite(value) and smallest <= value <= largest


def read_tensors(weights: Path, info: NetworkInfo) -> dict[str, Tensor]:
    """The tensors of a network, checked against their hash; raises Usage."""
    need_safetensors(str(weights))
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        is_described_file = digest_file(weights) == info.sha256
        tensors = load_file(weights) if is_described_file else {}
    except FileNotFoundError:
        raise Usage(f"{weights}: there is no such file") from None
    except (SafetensorError, OSError, ValueError) as error:
        raise Usage(f"{weights}: cannot be read as safetensors ({error_line(error)})") from None
    if not is_described_file:
        raise Usage(
            f"{weights}: not the file that {weights.with_suffix(NETWORK_INFO).name} describes (cut short, or of another "
            "run?); get both files anew from whoever trained the network"
        )
    labels = tensors.get("labels")
    if labels is None or labels.dtype != torch.int64 or labels.shape != (info.training["images"],):
        raise Usage(f"{weights}: its tensor 'labels' is not one number for each of {info.training['images']:,} images")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(info.classes):
        raise Usage(f"{weights}: its tensor 'labels' holds other classes than the {len(info.classes)} in 'classes'")
    return tensors


def load_network(weights: Path, folders: Sequence[Path] = (), device: str = "cpu") -> Network:
    """A kept network, ready to predict; raises Usage. folders: where methods of one's own lie."""
    info = read_info(weights)
    tensors = read_tensors(weights, info)
    method_class = find_class(weights, info, folders)
    exact_arithmetic()
    try:
        method, recipe, run = build_untrained(method_class, info, folders, device)
        begin_method(method, tensors["labels"], run, device)
        method.load_state_dict(tensors)
    except UNBUILDABLE as error:
        change_note = "; its code has changed since" if hash_code(method_class) != info.code else ""
        raise Usage(
            f"{weights}: does not fit the method {method_class.name} as it is here: {error_line(error)}{change_note}"
        ) from None
    return Network(info, method.eval(), recipe, run, torch.device(device), tuple(note_changes(method_class, info)))


def find_class(weights: Path, info: NetworkInfo, folders: Sequence[Path]) -> type[Method]:
    """The class of the method that was trained; raises Usage."""
    broken: plugins.Failures = {}
    methods = plugins.find_methods(folders, broken)
    name = info.spec["method"]
    if name in broken and name not in methods:
        raise Usage(f"{weights}: its method cannot be imported: {broken[name]}")
    return methods[one_of(str(weights), "method", name, methods, "--methods-path DIR adds your own")]


def build_untrained(
    cls: type[Method], info: NetworkInfo, folders: Sequence[Path], device: str
) -> tuple[Method, Recipe, Run]:
    """The method as it was assembled for its job, at random weights: the kept ones replace all of them."""
    known_recipe = recipe_to_dict(cls.recipe)
    run_sizes = {name: info.training[name] for name in ("epochs", "batch_size", "drop_last")}
    network_augment = known_recipe["augment"] | info.normalisation
    network_recipe = known_recipe | run_sizes | {"backbone": info.backbone, "augment": network_augment}
    resolved = {"parameters": info.parameters, "recipe": network_recipe, "weights": {}}
    place = Place(results="", data="", device=device, methods_path=tuple(str(folder) for folder in folders))
    job = replace(info.job, weights="random", weights2=None)
    return assemble_method(cls, job, resolved, place, len(info.classes), info.training["images"])


def note_changes(cls: type[Method], info: NetworkInfo) -> list[str]:
    """A line for each thing that is not as it was when the network was trained."""
    notes = []
    current_code = hash_code(cls)
    if cls.version != info.spec["method_version"]:
        notes.append(f"{cls.name}: version {info.spec['method_version']} trained this network, here is {cls.version}")
    elif current_code != info.code:
        notes.append(f"{cls.name}: other code trained this network ({info.code[-8:]}, here {current_code[-8:]})")
    version = info.spec["scale"].get("version")
    if version != info.scale.version:
        notes.append(f"{info.scale.name} scale: version {version} trained this network, here is {info.scale.version}")
    return [f"{line}; its numbers may differ from its record's" for line in notes]


def network_file(path: Path) -> Path:
    """The file of tensors, whichever file of a network was named."""
    name = path.name.removesuffix(NETWORK_INFO).removesuffix(NETWORK).removesuffix(".json")
    return path.with_name(name + NETWORK)
