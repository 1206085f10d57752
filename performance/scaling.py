"""How long a matrix takes on more machines, and how planning and drawing grow with its size.

`python -m performance.scaling` simulates the engine's order (seeds outermost, longest first, each job to the next free
worker), checks the simulation against real runs on 1 and 2 workers, prints the paper's 225 runs on 1, 8 and 64 GPUs,
and times planning and drawing with 10, 1,000 and 100,000 records and the data card's search for near copies. Every
figure for GPUs is computed from the rates below, which were measured on one.
"""

import argparse
import heapq
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark.scale import AFFECTNET_EPOCHS
from performance.faults import ROOT, Matrix
from results.job import digest
from results.schema import content_hash
from results.store import Store

# Training images/s on one H200 at the published batch, 224 px, as a job is run (docs/gpu.md).
SPEEDS = {"baseline": 10_400, "scn": 9_950, "rul": 9_400, "eac": 4_050, "lanet": 4_280}
IMAGES = {"rafdb": (12_271, 3_068), "ferplus": (28_236, 3_137), "affectnet": (287_651, 3_999)}  # training, test
START = (
    8.0  # seconds of a job outside its epochs, as seen there: fork, GPU context, pixels to the card, capture, record
)
RATES, SEEDS = 3, 5


def simulate(jobs: Iterable[tuple[int, float]], workers: int) -> tuple[float, dict[int, float]]:
    """When everything is done, and when each seed is: list scheduling of (seed, seconds) on equal workers."""
    free = [0.0] * workers
    done: dict[int, float] = {}
    for seed, seconds in sorted(jobs, key=lambda job: (job[0], -job[1])):
        end = heapq.heappop(free) + seconds
        heapq.heappush(free, end)
        done[seed] = max(end, done.get(seed, 0.0))
    return max(done.values(), default=0.0), done


def paper_jobs() -> list[tuple[int, float]]:
    """(seed, expected seconds) of the paper's 225 runs of Table 1; a test image costs a third of a training image."""
    from benchmark import plugins

    known, found = plugins.find_methods(), []
    for method, rate in SPEEDS.items():
        for data, (train, test) in IMAGES.items():
            epochs = AFFECTNET_EPOCHS if data == "affectnet" else known[method].recipe.epochs
            seconds = START + epochs * (train + test / 3) / rate
            found += [(seed, seconds) for seed in range(SEEDS) for _ in range(RATES)]
    return found


def check(folder: Path, workers: int, jobs: int = 16) -> tuple[float, float]:
    """(simulated, real) seconds from the first start to the last end of jobs that wait 0.5 to 4 s, in a fixed mix."""
    waits = {seed: 0.5 + 3.5 * (seed * 7 % jobs) / jobs for seed in range(jobs)}
    matrix = Matrix(folder, {seed: [f"slow {seconds}"] for seed, seconds in waits.items()})
    assert matrix.run(f"0-{jobs - 1}", "--workers", str(workers)) == 0
    begins, ends = (
        [line.split() for s in waits for line in matrix.lines(s) if line.startswith(w)] for w in ("beg", "end")
    )
    began, ended = ([float(words[-1]) for words in lines] for lines in (begins, ends))
    simulated, _ = simulate(((seed, end - begin) for seed, (begin, end) in enumerate(zip(began, ended))), workers)
    return simulated, max(ended) - min(began)


def between_jobs(folder: Path, *options: str, jobs: int = 20) -> float:
    """Seconds of one worker from the end of a job's training to the beginning of the next one's; mean."""
    matrix = Matrix(folder)
    assert matrix.run(f"0-{jobs - 1}", "--workers", "1", *options) == 0
    times = sorted(float(line.split()[-1]) for seed in range(jobs) for line in matrix.lines(seed))
    return sum(begin - end for end, begin in zip(times[1::2], times[2::2])) / (jobs - 1)


def on_dask(folder: Path) -> float | None:
    """`between_jobs` on a Dask cluster of one local worker; None without Dask."""
    try:
        from distributed import LocalCluster
    except ImportError:
        return None
    os.environ |= {"FER_FAULTS": str(folder), "PYTHONPATH": str(ROOT)}
    with LocalCluster(1, threads_per_worker=1, dashboard_address=None, memory_limit=0) as cluster:
        return between_jobs(folder, "--cluster", cluster.scheduler_address)


def make_records(results: Path, template: dict[str, Any], arrays: bytes, count: int) -> None:
    """`count` records that differ in their seed, with one set of arrays for each folder of them."""
    for seed in range(count):
        spec = template["spec"] | {"seed": seed}
        record = {k: v for k, v in template.items() if k != "hash"} | {"spec": spec, "id": digest(spec)}
        record["hash"] = content_hash(record)
        path = results / record["id"][:2] / f"{record['id']}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record, indent=1))
        shared = path.with_name(".arrays")
        if not shared.exists():
            shared.write_bytes(arrays)
        if not path.with_suffix(".npz").exists():
            os.link(shared, path.with_suffix(".npz"))


def timed(matrix: Matrix, count: int, option: str) -> float:
    """Seconds of run_all.py over `count` seeds with --plan or --draw."""
    ranges = [f"{start}-{min(start + 999, count - 1)}" for start in range(0, count, 1000)]
    start = time.monotonic()
    status = matrix.run(ranges[0], "--seeds", *ranges, option, timeout=3600)
    assert status == 0, (matrix.folder / "launcher.txt").read_text()[-2000:]
    return time.monotonic() - start


def growth(folder: Path, counts: list[int]) -> None:
    matrix = Matrix(folder)
    assert matrix.run("0") == 0
    template = matrix.records()[0]
    arrays = Store(matrix.results).path(template["id"]).with_suffix(".npz").read_bytes()
    print(f"a record here: {len(json.dumps(template, indent=1)):,} bytes")
    for count in counts:
        make_records(matrix.results, template, arrays, count)
        start = time.monotonic()
        found = sum(1 for _ in Store(matrix.results).records())
        read = time.monotonic() - start
        plan, draw = timed(matrix, count, "--plan"), timed(matrix, count, "--draw")
        print(f"{found:>7,} records: read {read:.2f} s, --plan {plan:.1f} s, --draw {draw:.1f} s", flush=True)


class Crops:
    """As many pictures as are asked for, 112 x 112, without their memory: drawn faces, cut out somewhere."""

    def __init__(self, faces: Any, count: int, seed: int) -> None:
        import numpy as np

        draw = np.random.default_rng(seed)
        self.faces, self.rows = faces, draw.integers(0, len(faces), count)
        self.places = draw.integers(0, faces.shape[1] - 111, (count, 2))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, n: int) -> Any:
        if n >= len(self):
            raise IndexError
        y, x = self.places[n]
        return self.faces[self.rows[n], y : y + 112, x : x + 112]


def copies(pictures: Iterable[int], faces: int = 4000) -> None:
    """Seconds of this process to look for near copies among so many pictures, and a seventieth as many test pictures."""
    from types import SimpleNamespace

    import cv2
    import numpy as np

    from benchmark.cache.copies import near_copies
    from benchmark.datasets.faces import Faces

    source = Faces().read(None, Faces.Options(train=faces, test=100))
    drawn = np.stack([cv2.resize(source.train.image(row), (160, 160)) for row in range(faces)])
    for count in pictures:
        data = SimpleNamespace()
        for split, n in (("train", count), ("test", count // 70)):
            rows = SimpleNamespace(images=Crops(drawn, n, n), labels=np.zeros(n), names=np.arange(n))
            setattr(data, split, rows)
        start = time.process_time()
        found: Any = near_copies(data)  # type: ignore[arg-type]
        took, pairs = time.process_time() - start, found["within train"] + found["train and test"]
        print(
            f"near copies among {count:,} + {count // 70:,} pictures: {took:.0f} s, {pairs:,} pairs found", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="*", default=[10, 1_000, 100_000])
    parser.add_argument("--no-check", action="store_true", help="leave out the real runs")
    args = parser.parse_args()
    torch = subprocess.run(
        [sys.executable, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True
    )
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, torch {torch.stdout.strip()}")
    with tempfile.TemporaryDirectory() as folder:
        for workers in () if args.no_check else (1, 2):
            simulated, real = check(Path(folder) / f"check{workers}", workers)
            print(
                f"{workers} workers, 16 jobs: simulated {simulated:.1f} s, real {real:.1f} s ({real / simulated:.3f}x)"
            )
        if not args.no_check:
            alone, dask = between_jobs(Path(folder) / "threads"), on_dask(Path(folder) / "dask")
            print(f"between two jobs of a worker: {alone:.2f} s", "" if dask is None else f"with Dask {dask:.2f} s")
        jobs = paper_jobs()
        total, longest = sum(s for _, s in jobs), max(s for _, s in jobs)
        print(f"{len(jobs)} runs, {total / 3600:.1f} GPU hours in all, the longest {longest / 60:.0f} min (estimates)")
        for workers in (1, 8, 64, 225):
            end, seeds = simulate(jobs, workers)
            use = total / (workers * end)
            print(
                f"{workers:>4} GPUs: {end / 3600:6.2f} h, {total / end:5.1f}x of one, {use:.0%} used, "
                f"first seed complete after {seeds[0] / 3600:.2f} h (estimates)"
            )
        copies([35_000, 70_000, 140_000, 280_000])
        growth(Path(folder) / "growth", args.records)


if __name__ == "__main__":
    main()
