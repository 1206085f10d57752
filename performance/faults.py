"""A matrix under faults: what is lost, corrupted, trained twice or left running.

`python -m performance.faults [--faults 200] [--seed 0]` runs jobs of a tiny method that fails as it is told
(performance/faulty), kills launchers and fork servers from outside, starts two launchers at once, and kills Dask workers
if Dask is installed. Everything goes through run_all.py; what was trained how often is counted by the method itself.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from performance.faulty.faulty import CLASS, read_process
from results.job import Job
from results.store import Store

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 10  # seconds; a job takes a fraction of one
# In-job faults and how often each is drawn; a hang costs its whole limit, a dead fork server the time to start another.
DRAWN = {"raise": 12, "kill": 22, "torn": 16, "nan": 10, "crash": 10, "small files": 8, "full": 8, "memory": 8}
DRAWN |= {"status": 4, "silent": 4, "child": 4, "fork server": 4, "hang": 2, "stopped": 1}
AFTER_TRAINING = {"torn", "small files", "full"}  # faults of writing: the job has trained in vain


@dataclass
class Matrix:
    """One matrix of faulty jobs, a job a seed, under a folder of its own."""

    folder: Path
    faults: dict[int, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plan.json").write_text(json.dumps(self.faults))

    @property
    def results(self) -> Path:
        return self.folder / "runs"

    def start(self, seeds: str, *more: str) -> subprocess.Popen:
        """A launcher for the given seeds; its words go to <folder>/launcher.txt."""
        command = [sys.executable, str(ROOT / "run_all.py"), "--table", "clean", "--datasets", "specks"]
        command += ["--methods", "faulty", "--methods-path", str(ROOT / "performance" / "faulty"), "--seeds", seeds]
        command += ["--set", "recipe.epochs=1", "--weights", "random", "--devices", "cpu", "--workers", "2"]
        command += ["--limit", str(LIMIT), "--results", str(self.results), "--out", str(self.folder / "out"), *more]
        environment = os.environ | {"FER_FAULTS": str(self.folder), "OMP_NUM_THREADS": "1"}
        with open(self.folder / "launcher.txt", "a") as words:
            return subprocess.Popen(command, env=environment, stdout=words, stderr=words, start_new_session=True)

    def run(self, seeds: str, *more: str, timeout: float = 900) -> int:
        """Run to the end; returns the exit status. One that hangs is an error, and nothing of it is left."""
        launcher = self.start(seeds, *more)
        try:
            return launcher.wait(timeout)
        except subprocess.TimeoutExpired:
            alive = print_alive(self.processes())
            for pid in alive:
                kill_process(pid)
            words = (self.folder / "launcher.txt").read_text()[-2000:]
            raise RuntimeError(f"hangs: no end after {timeout:.0f} s, {len(alive)} processes alive; {words}") from None

    def logs(self) -> dict[int, list[str]]:
        """{seed: the lines that its attempts have noted}"""
        return {int(path.stem): path.read_text().splitlines() for path in self.folder.glob("*.log")}

    def count(self, word: str) -> Counter:
        """How often each seed has noted a word ('begin', 'end')."""
        return Counter({seed: sum(line.startswith(word) for line in lines) for seed, lines in self.logs().items()})

    def met(self) -> dict[int, list[str]]:
        """The faults that each seed has met, in order."""
        return {seed: re.findall(r"^met (.*),", "\n".join(lines), re.M) for seed, lines in self.logs().items()}

    def records(self) -> dict[int, dict[str, Any]]:
        return {record["spec"]["seed"]: record for record in Store(self.results).records()}

    def failures(self) -> list[tuple[int, str, str]]:
        """(seed, class, error and message) of every failure that was ever written, forgotten ones too."""
        failures = [json.loads(path.read_text()) for path in sorted(self.results.glob("failures/*-*"))]
        seeds = {job: seed for seed, job in self.ids.items()}
        return [(seeds[f["id"]], f["class"], f"{f['error']}: {f['message']}") for f in failures]

    @cached_property
    def ids(self) -> dict[int, str]:
        """{seed: job id}, from the identity of a record."""
        spec = next(iter(self.records().values()))["spec"]
        return {seed: Job(**spec | {"seed": seed}).id for seed in range(1000)}

    def processes(self) -> list[int]:
        """Processes of this matrix in any state but dead: launchers, fork servers, jobs and what they started."""
        mark, found = f"FER_FAULTS={self.folder}".encode(), []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                alive = read_process(int(path.name))[0] not in "ZX"
                mine = alive and mark in (path / "environ").read_bytes().split(b"\0")
                if mine and os.getpid() != int(path.name) and "resource_tracker" not in read_command(int(path.name)):
                    found.append(int(path.name))  # a tracker of this process serves its Dask cluster
            except OSError:
                continue
        return found

    def fork_servers(self) -> list[int]:
        """Processes of this matrix that are a launcher's fork server and not a job of it."""
        mine = [pid for pid in self.processes() if "benchmark.launch.fork_server" in read_command(pid)]
        return [pid for pid in mine if int(read_process(pid)[1]) not in mine]


def read_command(pid: int) -> str:
    """The command line of a process; '' once it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def kill_process(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def draw_faults(draw: random.Random, jobs: int, total: int) -> dict[int, list[str]]:
    """`total` faults over `jobs` seeds, at most three for one."""
    planned: dict[int, list[str]] = {seed: [] for seed in range(jobs)}
    while sum(map(len, planned.values())) < total:
        seed = draw.randrange(jobs)
        if len(planned[seed]) < 3:
            planned[seed] += draw.choices(list(DRAWN), DRAWN.values())
    return planned


def interrupted_rounds(matrix: Matrix, seeds: str, draw: random.Random, rounds: int) -> dict[str, int]:
    """Start launchers, every third time two at once, and kill them or a fork server at a random moment."""
    counts = {"launchers killed": 0, "fork servers killed": 0, "two launchers at once": 0, "orphans": 0}
    for turn in range(rounds):
        launchers = [matrix.start(seeds) for _ in range(2 if turn % 3 == 2 else 1)]
        counts["two launchers at once"] += len(launchers) - 1
        before, deadline = sum(matrix.count("begin").values()), time.monotonic() + 60
        while sum(matrix.count("begin").values()) == before and time.monotonic() < deadline:
            if launchers[0].poll() is not None:
                break
            time.sleep(0.05)
        time.sleep(draw.uniform(0, 3))
        if turn % 4 == 1:
            for pid in matrix.fork_servers()[:1]:
                kill_process(pid)
                counts["fork servers killed"] += 1
            time.sleep(draw.uniform(0, 3))
        for launcher in launchers:
            counts["launchers killed"] += launcher.poll() is None
            launcher.kill()
            launcher.wait()
        time.sleep(2)
        counts["orphans"] += len(print_alive(matrix.processes()))
    return counts


def print_alive(pids: list[int]) -> list[int]:
    """The same processes, named on standard error."""
    for pid in pids:
        print(f"alive: {pid} {read_process(pid)[0]} {read_command(pid)}", file=sys.stderr)
    return pids


def count_changed(before: dict[int, dict], after: dict[int, dict]) -> int:
    """How many records are gone or changed."""
    return sum(after.get(seed) != record for seed, record in before.items())


def dask_rounds(matrix: Matrix, first: int) -> dict[str, int]:
    """A Dask cluster whose workers are killed by some of their jobs."""
    try:
        import dask
        from distributed import LocalCluster
    except ImportError:
        return {}
    # A busy machine starts a worker in more than Dask's 15 s.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})
    seeds = f"{first}-{first + 11}"
    os.environ |= {"FER_FAULTS": str(matrix.folder), "PYTHONPATH": str(ROOT)}
    with LocalCluster(2, threads_per_worker=1, resources={"GPU": 1}, dashboard_address=None, memory_limit=0) as cluster:
        status = matrix.run(seeds, "--cluster", cluster.scheduler_address)
    os.environ.pop("FER_FAULTS")
    done = matrix.records()
    return {"Dask jobs asked": 12, "Dask jobs done": sum(first <= seed < first + 12 for seed in done), "status": status}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    draw, start = random.Random(args.seed), time.monotonic()
    rounds = max(3, args.faults // 20)
    jobs = max(20, args.faults * 2 // 3)
    planned = draw_faults(draw, jobs, args.faults)
    planned |= {jobs + i: ["worker"] if i in (1, 4, 7) else ["kill"] if i == 9 else [] for i in range(12)}
    with tempfile.TemporaryDirectory() as folder:
        report_faults(Matrix(Path(folder) / "faults", planned), Matrix(Path(folder) / "clean"), draw, jobs, rounds)
    print(
        f"{time.monotonic() - start:.0f} s, {os.cpu_count()} cores, Python {sys.version.split()[0]}, seed {args.seed}"
    )


def report_faults(matrix: Matrix, clean: Matrix, draw: random.Random, jobs: int, rounds: int) -> None:
    """Run the matrix under its faults and print what became of it."""
    seeds = f"0-{jobs - 1}"
    clean.run("0-9")
    counts = interrupted_rounds(matrix, seeds, draw, rounds)
    measured, changed = matrix.records(), 0
    turns = 0
    while matrix.run(seeds, *(["--retry-failed"] if turns else [])) != 0 and turns < 8:
        changed += count_changed(measured, matrix.records())
        measured, turns = matrix.records(), turns + 1
    dask = dask_rounds(matrix, jobs)
    time.sleep(2)
    counts["orphans"] += len(print_alive(matrix.processes()))
    store, records, met = Store(matrix.results), matrix.records(), matrix.met()
    list(store.records())  # finds what is to be refused
    changed += count_changed(measured, records)
    reference = clean.records()
    parts = ("metrics", "history", "arrays", "noise")
    other = sum(records[seed][part] != record[part] for seed, record in reference.items() for part in parts)
    asked, failures = jobs + (12 if dask else 0), matrix.failures()
    everywhere = {"killed"} if counts["fork servers killed"] or any("fork server" in f for f in met.values()) else set()
    wrong = [f for f in failures if f[1] not in {CLASS.get(fault, "") for fault in met[f[0]]} | everywhere]
    right = len(failures) - len(wrong)
    inside = sum(map(len, met.values()))
    outside = sum(counts[name] for name in ("launchers killed", "fork servers killed", "two launchers at once"))
    vain = sum(fault in AFTER_TRAINING for faults in met.values() for fault in faults)
    twice = sum(matrix.count("end").values()) - len(records)
    bound = vain + 4 * counts["launchers killed"] + 2 * counts["fork servers killed"]
    bound += 4 * sum(fault in ("fork server", "worker") for faults in met.values() for fault in faults)
    print(f"faults injected: {inside + outside} ({inside} in jobs, {outside} from outside)")
    print("  " + ", ".join(f"{name} {n}" for name, n in Counter(f for fs in met.values() for f in fs).most_common()))
    print("  " + ", ".join(f"{name} {n}" for name, n in counts.items() if name != "orphans"))
    print(f"jobs asked: {asked}")
    print(f"done: {len(records)} after {turns} runs with --retry-failed; {dask or 'Dask is not installed'}")
    print(f"failed with the right class: {right} of {len(failures)} {dict(Counter(kind for _, kind, _ in failures))}")
    for seed, kind, line in wrong:
        print(f"  seed {seed}: {kind}, met {', '.join(met[seed]) or 'nothing'}: {line}")
    print(f"lost: {asked - len(records) + changed}")
    print(f"corrupted: {len(store.refused) + other} ({len(reference)} records compared with runs without faults)")
    print(f"trained twice: {twice} (at most {bound} by the interruptions, {vain} of them while writing)")
    print(f"orphans: {counts['orphans']}")
    sound = asked == len(records) and not wrong and not store.refused and not other and twice <= bound
    if not (sound and not changed and not counts["orphans"]):
        sys.exit(1)


if __name__ == "__main__":
    main()
