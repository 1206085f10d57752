"""The inputs of a recorded job on this machine: found where they were left, else made again aside."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.cache.decoded import Data, open_decoded
from benchmark.cache.lookup import open_data
from benchmark.commands.named_data import data_sets
from benchmark.launch.preflight import fetch_published
from benchmark.launch.run import make_pretraining_task
from benchmark.launch.supervise import run_in_child
from benchmark.plan.overrides import dataset_options
from benchmark.plan.start_weights import Start, landmark_weights
from benchmark.progress import show_decoding
from benchmark.scale import restore_scale
from benchmark.terminal import Usage, one_of, print_note
from results.files import digest_file
from results.job import Job


@dataclass(frozen=True)
class Sources:
    """Where the inputs of a recorded job may come from."""

    results: Path  # the folder of its record, into which nothing is written
    aside: Path  # a results folder, in which inputs that are missing are made
    data: dict[str, Path] = field(default_factory=dict)  # {data set: where it lies}
    sets: dict[str, str] = field(default_factory=dict)  # options of data sets that were typed
    weights: Path | None = None  # the file of start weights, if one was given
    weights2: Path | None = None  # that of further networks
    own: tuple[Path, ...] = ()  # folders with methods and data sets of one's own
    slots: Sequence[Sequence[str]] = ()  # GPU slots, for start weights that are made on one

    @property
    def folders(self) -> list[Path]:
        """Results folders that may hold an input."""
        return list(dict.fromkeys([self.results, self.aside]))


def find_inputs(record: dict[str, Any], sources: Sources, device: str) -> dict[str, Any]:
    """The fields of a `Place` that a recorded job needs; raises Usage where an input is missing and cannot be made."""
    job = Job(**record["spec"])
    if job.noise["kind"].startswith("file:"):
        fix_hint = "run its table again with --noise file:PATH --force"
        raise Usage(f"the noise is a list file, which records do not keep; {fix_hint}")
    kind, _, key = job.weights.partition(":")
    weights = None
    if kind == "landmarks":
        made_before = [folder / "weights" / f"{key}.pt" for folder in sources.folders]
        weights = next((path for path in made_before if path.exists()), None)
    elif kind == "imagenet":
        weights = fetch_published(key)
    elif kind != "random":
        weights = check_file(job.weights, sources.weights, "--weights")
    weights2 = None
    if job.weights2 not in (None, "random"):
        weights2 = check_file(job.weights2, sources.weights2, "--weights2")
    needs_landmarks = kind == "landmarks" and weights is None
    data = find_or_make_data(record, sources, device, needs_landmarks)
    if needs_landmarks:
        weights = make_start_weights(record, data, sources, device)
    return {
        "data": str(data.folder),
        "weights": weights and str(weights),
        "weights2": weights2 and str(weights2),
        "methods_path": [str(folder) for folder in sources.own],
        "device": device,
    }


def check_file(identity: str, path: Path | None, option: str) -> Path:
    """A file of start weights that was given; raises Usage where it is missing or another one than recorded."""
    if path is None or not path.is_file():
        raise Usage(f"the start weights {identity} are not here; give them with {option} PATH")
    if identity.startswith("sha256:") and f"sha256:{digest_file(path)}" != identity:
        raise Usage(f"{option} {path}: another file than the record's start weights, {identity}")
    return path


def find_or_make_data(record: dict[str, Any], sources: Sources, device: str, needs_landmarks: bool) -> Data:
    """The decoded data of a job. needs_landmarks: its start weights have to be made from the landmarks of the data."""
    job = Job(**record["spec"])

    def why_other(data: Data) -> str:
        if data.fingerprint != job.data["fingerprint"]:
            return f"fingerprint {data.fingerprint[:12]}, recorded {job.data['fingerprint'][:12]}"
        wrong_points = job.data["landmarks"] not in (None, data.landmark_fingerprint)
        if wrong_points or (needs_landmarks and remake_start(record, data, sources, device).identity != job.weights):
            return "other landmarks, or none"
        if job.noise.get("earlier_labels") not in (None, data.info.get("earlier_labels", "")[:20]):
            return "other labels of fer2013.csv, or none"
        return ""

    for data in list_decoded(job, sources):
        if not data.lacks_images and not why_other(data):
            return data
    data = decode_again(job, sources)
    if difference := why_other(data):
        raise Usage(explain_other_data(job.data["name"], sources, difference))
    return data


def list_decoded(job: Job, sources: Sources) -> Iterator[Data]:
    """Decoded data sets of the job's name and fingerprint, and descriptions of them."""
    for folder in sources.folders:
        for card in sorted((folder / "data").glob(f"{job.data['name']}-{job.data['fingerprint'][:12]}*/card.json")):
            yield open_decoded(card.parent)


def decode_again(job: Job, sources: Sources) -> Data:
    """The data set of a job, read with the options of its description, in the folder aside; raises Usage."""
    name = job.data["name"]
    known_data_sets = data_sets(sources.own, [name])
    dataset = known_data_sets[one_of("--methods-path", "data set", name, known_data_sets)]()
    path = sources.data.get(name)
    if dataset.needs_path and path is None:
        raise Usage(f"the data of the job are not here; give them with --data {name}=PATH")
    options = next((dataset.Options(**data.info["options"]) for data in list_decoded(job, sources)), None)
    if options is None or any(key.startswith(f"{name}.") for key in sources.sets):
        options = dataset_options(dataset, sources.sets)
    return open_data(dataset, path, options, sources.aside / "data", show_decoding)


def explain_other_data(name: str, sources: Sources, difference: str) -> str:
    """The line on data that is not the record's."""
    path = sources.data.get(name)
    if path is None:
        return f"{name}: this version of the program, or --set, gives other data than the record's ({difference})"
    fix_hint = "with the options of its run as --set NAME.option=value"
    if difference.startswith("other landmarks"):
        fix_hint = f"or make its landmarks: python -m benchmark landmarks {name} --data {name}={path} --results {sources.aside}"
    return f"--data {name}={path}: not the data of the record ({difference}); give the same folder, {fix_hint}"


def remake_start(record: dict[str, Any], data: Data, sources: Sources, device: str) -> Start:
    """What the job's network would start from if its weights were made from these landmarks."""
    job = Job(**record["spec"])
    backbone = record["resolved"]["recipe"]["backbone"]
    own_code = job.backbone_code, sources.own
    return landmark_weights(data, backbone, restore_scale(job.scale), job.precision, device, sources.aside, *own_code)


def make_start_weights(record: dict[str, Any], data: Data, sources: Sources, device: str) -> Path:
    """Pre-train on landmarks again, in the folder aside; raises Usage where that fails."""
    start = remake_start(record, data, sources, device)
    assert start.path and start.pretraining
    path = Path(start.path)
    print_note(f"making the start weights {record['spec']['weights']} again: {path}")
    outcome = run_in_child(make_pretraining_task(start.pretraining, sources.aside, sources.slots))
    if not path.exists():
        raise Usage(f"the start weights could not be made: {outcome.status}: {outcome.message}")
    recorded_hash = record["resolved"]["weights"].get("loaded", {}).get("sha256")
    if recorded_hash not in (None, digest_file(path)):
        print_note("the start weights made here differ from the recorded ones, so the job's bits will too")
    return path
