"""The lines of docs/cluster.md under a real SLURM (Debian: slurm-wlm, munge) on this machine: one node with two CPUs."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from results.store import Store

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
ABSENT = [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(ABSENT), reason=f"no SLURM: {', '.join(ABSENT)} not installed (slurm-wlm, munge)"),
    pytest.mark.skipif(os.geteuid() != 0, reason="the daemons of SLURM need root"),
]

CONFIGURATION = """
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=5
SchedulerParameters=sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000
PartitionName=main Nodes=ALL Default=YES
"""

# A data set that notes each time that it is read, and a method that notes each epoch and lingers in one of them.
OWN = """
import os, time
from pathlib import Path

from benchmark.datasets.base import DataSet, Source
from methods.baseline import Baseline
from noise.expressions import SEVEN
from performance.faulty.specks import make_rows

FOLDER = Path(__file__).parent


def note(name, words):
    with open(FOLDER / name, "a") as file:
        file.write(words + "\\n")


class Counted(DataSet):
    name, title = "counted", "Counted"
    size, channels, needs_path = 16, 1, False

    def read(self, path, options):
        note("reads.txt", str(os.getpid()))
        time.sleep(2)  # so that a task which starts at the same time comes while this one reads
        return Source(SEVEN, make_rows("train"), make_rows("test"), identity="counted 1")

    def stamp(self, path, options):
        return []


class Lingering(Baseline):
    name, title = "lingering", "Lingering"

    def begin(self, labels, run):
        super().begin(labels, run)
        self.seed = run.seed

    def after_epoch(self, epoch):
        note("epochs.txt", f"{self.seed} {epoch}")
        if epoch == 2 and (FOLDER / "linger").exists():
            time.sleep(600)
        return super().after_epoch(epoch)
"""


@dataclass
class Slurm:
    """A running SLURM; folder: what it and its jobs keep."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        more = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": PATH, "PYTHONPATH": str(ROOT)}
        return os.environ | more | {"SLURM_TRIAL": str(self.folder), "FER_CHECKPOINT_SECONDS": "0"}

    def ask(self, *command: str) -> str:
        """What a program of SLURM prints."""
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def line(self, *words: str) -> list[str]:
        """A command of four tiny jobs, with further words."""
        line = [sys.executable, str(ROOT / "run_all.py"), "--table", "clean", "--datasets", "counted", "--methods"]
        line += ["lingering", "baseline", "--methods-path", str(self.folder / "own"), "--set", "recipe.epochs=3"]
        line += ["--weights", "random", "--devices", "cpu", "--seeds", "0-1", "--results", str(self.folder / "runs")]
        return [*line, *words]

    def linger(self, wanted: bool) -> None:
        """Whether the jobs of `lingering` stay in their second epoch."""
        path = self.folder / "own" / "linger"
        path.touch() if wanted else path.unlink()

    def submit(self, array: str) -> str:
        """Submit the line of docs/cluster.md as an array; returns its number."""
        script = self.folder / "task.sh"
        line = " ".join(self.line("--shard", "slurm"))
        script.write_text(f"#!/bin/bash\n#SBATCH --cpus-per-task=1 --time=5 --requeue\n{line}\n")
        log = f"{self.folder}/log-%A-%a.txt"
        return self.ask(
            "sbatch", "--parsable", f"--array={array}", "--open-mode=append", "-o", log, str(script)
        ).strip()

    def state(self, task: str) -> str:
        """COMPLETED, RUNNING, TIMEOUT, ... of a task or a job."""
        fields = dict(word.partition("=")[::2] for word in self.ask("scontrol", "-o", "show", "job", task).split())
        return fields["JobState"]

    def wait(self, *tasks: str) -> list[str]:
        """How tasks ended."""
        until(lambda: all(self.state(task) not in ("PENDING", "RUNNING", "COMPLETING") for task in tasks))
        return [self.state(task) for task in tasks]

    def lines(self, name: str) -> Counter:
        """How often each line stands in a file that the jobs write."""
        path = self.folder / "own" / name
        return Counter(path.read_text().splitlines() if path.exists() else [])

    def log(self, task: str) -> str:
        return (self.folder / f"log-{task.replace('_', '-')}.txt").read_text()

    def records(self) -> list[str]:
        specs = [record["spec"] for record in Store(self.folder / "runs").records()]
        return sorted(f"{spec['method']} {spec['seed']}" for spec in specs)

    def processes(self) -> list[int]:
        """What runs because of this SLURM, its daemons too."""
        mark, found = f"SLURM_TRIAL={self.folder}".encode(), []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
            except OSError:
                continue
        return found


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    for name in ("state", "spool", "own"):
        (tmp_path / name).mkdir()
    found = Slurm(tmp_path)
    (tmp_path / "own" / "own.py").write_text(OWN)
    key = tmp_path / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    words = CONFIGURATION.format(host=socket.gethostname().partition(".")[0], folder=tmp_path, ports=free_ports())
    (tmp_path / "slurm.conf").write_text(words)
    munge = ["munged", "-F", "--force", f"--key-file={key}", f"--socket={tmp_path}/munge.socket"]
    munge += [f"--{name}-file={tmp_path}/munge.{name}" for name in ("pid", "log", "seed")]
    idle = ["sinfo", "--noheader", "--format=%t"]
    try:
        start(munge, found)
        until((tmp_path / "munge.socket").exists)
        start(["slurmctld", "-D"], found)
        start(["slurmd", "-D"], found)
        until(lambda: subprocess.run(idle, env=found.environment, capture_output=True).stdout.strip() == b"idle")
        yield found
    finally:
        deadline = time.monotonic() + 20
        while (left := found.processes()) and time.monotonic() < deadline:
            for pid in left:
                kill(pid)
            time.sleep(0.2)
        assert not left


def start(command: list[str], slurm: Slurm) -> None:
    with open(slurm.folder / f"{command[0]}.txt", "w") as log:
        subprocess.Popen(command, env=slurm.environment, stdout=log, stderr=log, start_new_session=True)


def free_ports() -> list[int]:
    sockets = [socket.socket() for _ in range(2)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def until(holds: Callable[[], bool], seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_arrays_share_the_jobs_and_what_a_time_limit_ended_goes_on(slurm: Slurm) -> None:
    slurm.linger(True)
    first = slurm.submit("1-2")
    until(lambda: {"0 2", "1 2"} <= set(slurm.lines("epochs.txt")))
    assert sum(slurm.lines("reads.txt").values()) == 1
    tasks = [f"{first}_1", f"{first}_2"]
    for task in tasks:
        slurm.ask("scontrol", "update", f"JobId={task}", "EndTime=now")
    assert slurm.wait(*tasks) == ["TIMEOUT", "TIMEOUT"]
    until(lambda: all("goes on from the last checkpoints" in slurm.log(task) for task in tasks))
    assert not list((slurm.folder / "runs" / "failures").glob("*"))
    again = slurm.submit("0,5")  # some tasks alone, of an array from zero
    until(lambda: {"0 2": 2, "1 2": 2}.items() <= slurm.lines("epochs.txt").items())
    slurm.linger(False)
    slurm.ask("scancel", f"{again}_0")
    slurm.ask("scontrol", "requeue", f"{again}_5")
    until(lambda: slurm.state(f"{again}_5") == "PENDING")
    slurm.ask("scontrol", "update", f"JobId={again}_5", "StartTime=now+4")  # SLURM waits two minutes
    assert slurm.wait(f"{again}_5") == ["COMPLETED"], slurm.log(f"{again}_5")
    assert slurm.records() == ["baseline 0", "baseline 1", "lingering 0", "lingering 1"]
    # The epoch in which they were ended is the only one that is trained again.
    assert slurm.lines("epochs.txt") == {"0 1": 1, "0 2": 3, "0 3": 1, "1 1": 1, "1 2": 3, "1 3": 1}


def test_the_cluster_of_dask_jobqueue_runs_the_jobs(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    jobqueue = pytest.importorskip("dask_jobqueue")
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(slurm.folder)
    options = {"cores": 1, "processes": 1, "memory": "1GB", "walltime": "00:05:00"}
    with jobqueue.SLURMCluster(**options, scheduler_options={"dashboard": False}) as cluster:
        cluster.scale(1)
        line = slurm.line("--cluster", cluster.scheduler_address, "--out", str(slurm.folder / "out"))
        done = subprocess.run(line, env=slurm.environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert slurm.records() == ["baseline 0", "baseline 1", "lingering 0", "lingering 1"]
