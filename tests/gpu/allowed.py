"""What the host may wait for on a GPU, outside of steps: where, how often, and why."""

from collections import Counter

from benchmark.check.pretended_notes import TRAINING, Wait

JOB, EPOCH = "job", "epoch"
# {(part of the work, kind, file): (most waits, in each, why)}; uploads are copies from pageable memory
ALLOWED = {
    ("start", "upload", "train/assembly.py"): (1000, JOB, "the network with its start weights, the given labels"),
    ("start", "upload", "train/trainer.py"): (4, JOB, "given and clean labels, landmarks, which of them are usable"),
    ("start", "upload", "train/device.py"): (1, JOB, "the training pixels, where they fit"),
    ("start", "upload", "lanet/method.py"): (2, JOB, "queues are drawn on the CPU, alike for every device"),
    ("start", "upload", "methods/sop.py"): (2, JOB, "noise vectors are drawn on the CPU, alike for every device"),
    ("start", "upload", "methods/forward.py"): (1, JOB, "the matrix of label errors"),
    ("start", "read", "lanet/method.py"): (1, JOB, "the rows of each class, for orders that are drawn on the CPU"),
    ("start", "read", "train/assembly.py"): (1000, JOB, "counts of batch normalisations, which stay on the host"),
    ("outside", "upload", "train/device.py"): (1, EPOCH, "the order of the epoch"),
    ("outside", "read", "train/loop.py"): (20, EPOCH, "the epoch's sums, a number each"),
    ("outside", "read", "train/metrics.py"): (2, JOB, "margins, for the record"),
    ("outside", "read", "methods/otp_ns.py"): (2, EPOCH, "which member of the pool is replaced"),
    ("outside", "read", "methods/dividemix.py"): (20, EPOCH, "whether the mixtures of two networks have settled"),
    ("outside", "shape", "methods/forward.py"): (1, JOB, "the images that were seen, where the matrix is estimated"),
    ("capture", "read", "train/graph.py"): (2000, JOB, "whether a replay has the bits of the step: once a capture"),
    ("survey", "upload", "train/device.py"): (1, EPOCH, "the order of the survey"),
    ("evaluation", "upload", "train/device.py"): (2, JOB, "test and held-out pixels, where they fit"),
    ("evaluation", "read", "train/evaluation.py"): (6, EPOCH, "predictions and confidences; the opinions of a job"),
}


def beyond(waits: list[Wait], epochs: int) -> dict[tuple[str, str, str], int]:
    """The waits outside of steps that are not in the list, or more often than it says, and how many they are."""
    found = Counter((w.part, w.kind, w.where.partition(":")[0]) for w in waits if w.part not in TRAINING)
    most = {key: number * (epochs if each == EPOCH else 1) for key, (number, each, _) in ALLOWED.items()}
    return {key: number for key, number in found.items() if number > most.get(key, 0)}
