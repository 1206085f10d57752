"""The engine under faults: what fails is named and fails alone, what was measured stays, nothing runs on."""

import errno
import fcntl
import io
import json
import multiprocessing
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_records import small_record
from test_job import JOB

from benchmark.launch import cluster
from benchmark.launch import dispatch as dispatching
from benchmark.launch import lock_owner as owning
from benchmark.launch import supervise as engine
from benchmark.launch.children import CHILDREN, Children, Stopped, wait_for_kill
from benchmark.launch.fork_server import LOOKS, ForkServer
from benchmark.launch.lock_owner import find_owner, is_stopped, write_owner
from benchmark.launch.locks import take_lock, take_slot
from benchmark.launch.supervise import run_in_child
from benchmark.launch.tasks import check_same_numbers, record_failure
from benchmark.task import EXIT_DISK, EXIT_DIVERGED, LOST, Task
from benchmark.train.loop import Diverged
from performance.faults import ROOT, Matrix
from results.schema import Refused
from results.store import Store

FAULTS = {
    0: [],
    1: ["raise"],
    2: ["status"],
    3: ["silent"],
    4: ["nan"],
    5: ["memory"],
    6: ["kill"],
    7: ["crash", "kill", "torn"],
    8: ["torn"],
    9: ["small files"],
    10: ["full"],
    11: ["child"],
    12: ["kill", "raise"],
}
CLASSES = {1: "error", 2: "error", 3: "error", 4: "nan", 5: "oom", 7: "killed", 9: "disk", 10: "disk", 12: "error"}


def latest(matrix: Matrix) -> dict[int, dict]:
    """{seed: its failure, where it has one and no record}."""
    store, done = Store(matrix.results), matrix.records()
    found = {seed: store.failure(matrix.ids[seed]) for seed in matrix.faults if seed not in done}
    return {seed: failure for seed, failure in found.items() if failure}


@pytest.mark.slow
def test_every_fault_costs_its_own_job_and_is_named(tmp_path: Path) -> None:
    matrix = Matrix(tmp_path / "faults", FAULTS)
    assert matrix.run("0-12") == 1
    assert set(matrix.records()) == set(FAULTS) - set(CLASSES)
    told = (tmp_path / "faults" / "launcher.txt").read_text()
    assert told.count(" % (last), ") == len(FAULTS) - len(CLASSES) and "(13/13)" in told
    assert "nan: faulty specks none recipe.epochs=1 seed 4: " in told
    failures = latest(matrix)
    assert {seed: failure["class"] for seed, failure in failures.items()} == CLASSES
    for seed, failure in failures.items():
        assert failure["message"] and f"--seeds {seed} " in failure["command"]
    assert "a fault of its own" in failures[1]["traceback"] and "a fault of its own" in failures[1]["log"]
    assert matrix.count("begin") == dict.fromkeys(FAULTS, 1) | {6: 2, 7: 3, 8: 2, 12: 2}
    assert matrix.processes() == []
    first, begun = matrix.records(), matrix.count("begin")
    assert matrix.run("0-12") == 1  # only what the machine lacked is worth trying again
    assert set(matrix.count("begin") - begun) == {5, 9, 10}
    assert set(matrix.records()) == set(FAULTS) - {1, 2, 3, 4, 7, 12}
    assert matrix.run("0-12", "--retry-failed") == 0
    assert set(matrix.records()) == set(FAULTS)
    assert {seed: matrix.records()[seed] for seed in first} == first
    assert list(matrix.results.rglob(".??*.json.*")) == [] and list(matrix.results.glob("locks/*")) == []
    parts = ("metrics", "history", "arrays", "noise")
    alone = Matrix(tmp_path / "alone")
    assert alone.run("6", "--workers", "1") == 0
    assert {p: alone.records()[6][p] for p in parts} == {p: matrix.records()[6][p] for p in parts}


@pytest.mark.slow
def test_a_killed_launcher_leaves_nothing_running_and_the_next_finishes(tmp_path: Path) -> None:
    matrix = Matrix(tmp_path, {0: ["slow 60"], 1: ["slow 60"], 2: [], 3: []})
    launcher = matrix.start("0-3", "--limit", "100")
    until(lambda: len(matrix.count("begin")) == 2)
    launcher.kill()
    launcher.wait()
    until(lambda: matrix.processes() == [], seconds=40)
    assert matrix.records() == {} and list(matrix.results.glob("[0-9a-f][0-9a-f]/*.json")) == []
    assert matrix.run("0-3") == 0
    assert set(matrix.records()) == {0, 1, 2, 3}
    assert sum(matrix.count("begin").values()) == 4 + 2


@pytest.mark.slow
def test_two_launchers_share_the_jobs(tmp_path: Path) -> None:
    matrix = Matrix(tmp_path, {seed: ["slow 0.5"] for seed in range(6)})
    assert matrix.run("6") == 0  # the cards of the methods are kept from here on
    launchers = [matrix.start("0-5", "--out", str(tmp_path / name)) for name in ("one", "two")]
    assert [launcher.wait(120) for launcher in launchers] == [0, 0]
    assert set(matrix.records()) == set(range(7))
    assert matrix.count("begin") == dict.fromkeys(range(7), 1) and matrix.count("end") == dict.fromkeys(range(7), 1)


def test_the_first_interrupt_ends_everything_soon(tmp_path: Path) -> None:
    matrix = Matrix(tmp_path, {0: ["slow 60"], 1: []})
    launcher = matrix.start("0-1", "--workers", "1", "--limit", "100")
    until(lambda: matrix.count("begin")[0] == 1)
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(40) == 1
    until(lambda: matrix.processes() == [], seconds=40)
    assert "goes on from the last checkpoints" in (tmp_path / "launcher.txt").read_text()
    assert matrix.records() == {} and list(matrix.results.glob("failures/*")) == []


def test_an_edited_record_is_kept_aside_and_trained_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.write(record(0.5), {})
    path = store.path(JOB.id)
    path.write_text(path.read_text().replace("0.5", "0.9"))
    with pytest.raises(Refused, match="edited"):
        store.read(JOB.id)
    assert not store.done(JOB.id) and "edited" in store.refused[JOB.id]
    store.write(record(0.5), {})
    assert store.read(JOB.id)["metrics"]["last"] == 0.5
    assert [json.loads(old.read_text())["metrics"]["last"] for old in tmp_path.rglob("*.json.*.old")] == [0.9]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"[" * 100_000, b"\xff\xfe{}", b'{"spec": 1e999}', b"null"])
def test_no_content_of_a_record_file_stops_the_store(tmp_path: Path, content: bytes) -> None:
    store = Store(tmp_path)
    store.path(JOB.id).parent.mkdir(parents=True)
    store.path(JOB.id).write_bytes(content)
    assert not store.done(JOB.id) and list(store.records()) == [] and JOB.id in store.refused


def record(accuracy: float) -> dict:
    return small_record(JOB, metrics={"last": accuracy, "best": accuracy, "last5": accuracy})


def until(what, seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def hold_slots(slots: list, whole: bool, queue, turns: int, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(turns):
        held = take_slot(slots, whole)
        start, gpu = time.monotonic(), os.environ["CUDA_VISIBLE_DEVICES"]
        time.sleep(draw.uniform(0, 0.03))
        queue.put((gpu, whole, start, time.monotonic()))
        for fd in held:
            os.close(fd)


@pytest.mark.parametrize("per_gpu", [1, 2])
def test_a_gpu_is_never_held_by_more_than_its_slots(tmp_path: Path, per_gpu: int) -> None:
    slots = [[gpu, str(tmp_path / f"{gpu}-{k}.lock")] for k in range(per_gpu) for gpu in ("first", "second")]
    fork = multiprocessing.get_context("fork")
    queue = fork.SimpleQueue()
    jobs = [fork.Process(target=hold_slots, args=(slots, whole == 0, queue, 5, whole)) for whole in range(6)]
    for job in jobs:
        job.start()
    held = [queue.get() for _ in range(30)]
    for job in jobs:
        job.join(20)
        assert job.exitcode == 0
    for gpu, whole, start, _ in held:
        beside = [other for other in held if other[0] == gpu and other[2] <= start < other[3]]
        assert len(beside) <= (1 if whole or any(other[1] for other in beside) else per_gpu)


def test_a_job_takes_the_gpu_that_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots = [[gpu, str(tmp_path / f"{gpu}-{k}.lock")] for k in range(2) for gpu in ("first", "second")]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    held = take_slot(slots, True)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "first" and len(held) == 2
    held += take_slot(slots, False)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "second"
    for fd in held:
        os.close(fd)


def task(folder: Path, **more) -> Task:
    wanted = {"id": "ab", "results": str(folder), "makes": str(folder / "made"), "log": str(folder / "log")}
    return Task(**wanted | more)


ENDS = st.lists(st.one_of(st.none(), st.integers(-64, 255)), min_size=1, max_size=6)


@settings(max_examples=60)
@given(ends=ENDS, raises=st.booleans(), slots=st.integers(0, 3))
def test_a_supervised_task_never_raises_and_always_ends(tmp_path_factory, ends, raises, slots) -> None:
    folder = tmp_path_factory.mktemp("supervised")
    store, calls = Store(folder), []

    def run(task):
        if calls and raises:
            raise OSError(24, "Too many open files")
        calls.append(task)
        attempt = store.begin_attempt("ab", task.launch)
        return ends[min(len(calls), len(ends)) - 1], attempt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CHILDREN, "run", run)
        patch.setattr(engine, "TELLING", 0.0)
        packed = [["card", str(folder / str(k))] for k in range(slots)]
        outcome = run_in_child(task(folder, slots=packed, launch="this", limit=1.0))
    assert outcome.status in {"error", "killed", "timeout", "oom", "nan", "disk"}
    assert len(calls) <= 4 and outcome.message
    if not raises:
        last = store.failure("ab")
        assert last["class"] == outcome.status and last["attempt"] == len(calls)
        if ends[0] is not None and ends[0] < 0 and len(ends) == 1:
            assert outcome.status == "killed" and len(calls) == 3
        if ends[0] == 3:
            assert len(calls) >= 1 + (slots > 1) and bool(slots > 1) == any(call.whole_gpu for call in calls)


def test_out_of_memory_is_tried_once_more_alone_on_the_gpu_only_if_it_was_shared(tmp_path: Path, monkeypatch) -> None:
    store, tried = Store(tmp_path), []

    def run(task):
        tried.append(task.whole_gpu)
        return 3, store.begin_attempt("ab")

    monkeypatch.setattr(CHILDREN, "run", run)
    assert run_in_child(task(tmp_path, slots=[["one", "a"], ["two", "b"]])).status == "oom" and tried == [False]
    assert run_in_child(task(tmp_path, slots=[["one", "a"], ["one", "b"]])).status == "oom"
    assert tried == [False, False, True]


def test_a_changed_method_or_a_longer_limit_is_worth_another_try(tmp_path: Path, monkeypatch) -> None:
    store, tried, ends = Store(tmp_path), [], [1]

    def run(task):
        tried.append(task.code)
        return ends[0], store.begin_attempt("ab")

    monkeypatch.setattr(CHILDREN, "run", run)
    for code in ("old", "old", "new", "new"):
        outcome = run_in_child(task(tmp_path, code=code))
        assert (outcome.status, outcome.message) == ("error", "error: ended with status 1 and no record")
    assert tried == ["old", "new"]
    ends[0] = None
    for limit in (5.0, 5.0, 9.0, 8.0):
        assert run_in_child(task(tmp_path, code="newer", limit=limit)).status == "timeout"
    assert tried == ["old", "new", "newer", "newer"]
    store.forget_failures("ab")
    assert run_in_child(task(tmp_path, code="newer", limit=5.0)).status == "timeout" and len(tried) == 5


def test_workers_that_die_with_a_job_count_against_it_in_their_launch_alone(tmp_path: Path, monkeypatch) -> None:
    store = Store(tmp_path)
    for _ in range(5):
        store.begin_attempt("ab", "an interrupted launch")
    monkeypatch.setattr(CHILDREN, "run", lambda task: (1, store.begin_attempt("ab", task.launch)))
    for _ in range(3):
        store.begin_attempt("ab", "this")
    outcome = run_in_child(task(tmp_path, launch="this"))
    assert outcome.status == "killed" and store.attempts("ab") == 8
    assert run_in_child(task(tmp_path, launch="the next")).status == "error"


HOLD = """
import fcntl, os, sys, time
held = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(100)
"""


@pytest.fixture
def stranger(tmp_path: Path):
    """A process that holds the lock of task 'ab' and has written nothing into it."""
    path = Store(tmp_path).lock("ab")
    path.parent.mkdir(parents=True)
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()


def test_a_task_that_a_process_holds_is_put_off_and_its_owner_named_once(
    tmp_path: Path, monkeypatch, capfd, stranger
) -> None:
    ended = []

    def run(task):
        ended.append(task.id)
        Path(task.makes).touch()
        return 0, 1

    monkeypatch.setattr(CHILDREN, "run", run)
    monkeypatch.setattr(dispatching.time, "sleep", lambda seconds: looks.append(seconds) or free())
    looks: list[float] = []

    def free() -> None:
        if len(looks) == 3:
            stranger.kill()
            stranger.wait()

    tasks = [task(tmp_path), *(task(tmp_path, id=i, makes=str(tmp_path / i)) for i in ("cd", "ef"))]
    outcomes = [(o.id, o.status) for o in dispatching.run_tasks(tasks, 1, None, None)]
    assert ended == ["cd", "ef", "ab"] and {status for _, status in outcomes} == {"ok"} and len(looks) == 3
    said = capfd.readouterr().err
    assert said.count("waiting for") == 1 and f": process {stranger.pid} holds it\n" in said


def test_a_task_that_a_stopped_process_holds_is_given_up_after_the_rest(
    tmp_path: Path, monkeypatch, capfd, stranger
) -> None:
    monkeypatch.setattr(CHILDREN, "run", lambda task: (Path(task.makes).touch(), (0, 1))[1])
    monkeypatch.setattr(dispatching, "LOOK", 0.01)
    stranger.send_signal(signal.SIGSTOP)
    until(lambda: find_owner(str(Store(tmp_path).lock("ab"))).stopped)
    tasks = [task(tmp_path), task(tmp_path, id="cd", makes=str(tmp_path / "cd"))]
    outcomes = list(dispatching.run_tasks(tasks, 1, None, None))
    assert [(o.id, o.status) for o in outcomes] == [("cd", "ok"), ("ab", "stopped")]
    assert f"kill -KILL {stranger.pid}" in outcomes[1].message
    assert capfd.readouterr().err.count("waiting for") == 1


def test_an_owner_says_who_it_is_where_no_kernel_tells(tmp_path: Path, monkeypatch) -> None:
    path = str(tmp_path / "lock")
    held = take_lock(path)
    write_owner(path)
    assert find_owner(path).pid == os.getpid() and find_owner(path).host == "" and not find_owner(path).stopped
    os.utime(path, (time.time() - 65, time.time() - 65))
    monkeypatch.setattr(owning, "owner_by_kernel", lambda file: None)
    assert str(find_owner(path)) == f"process {os.getpid()} has held it for 1:05"
    Path(path).write_text("77 elsewhere\n")
    assert str(find_owner(path)).startswith("process 77 on elsewhere has held it")
    os.utime(path, (time.time() + 3600, time.time() + 3600))  # another machine's clock
    assert str(find_owner(path)) == "process 77 on elsewhere holds it"
    monkeypatch.setattr(owning, "owner_by_kernel", lambda file: 88)  # who has written nothing yet
    assert str(find_owner(path)) == "process 88 holds it"
    monkeypatch.undo()
    numbers = os.stat(path)
    lock_line = f"1: FLOCK ADVISORY WRITE 0 {os.major(numbers.st_dev):02x}:{os.minor(numbers.st_dev):02x}:{numbers.st_ino} 0 EOF"
    monkeypatch.setattr(owning, "read_quietly", lambda path: lock_line)  # of a process of another container
    assert str(find_owner(path)) == "process 77 on elsewhere holds it"
    Path(path).write_text("")
    assert find_owner(path) is None
    os.close(held)


def test_a_file_system_without_locks_is_said_and_stops_nothing(tmp_path: Path, monkeypatch, capfd) -> None:
    def flock(*_) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    os.close(take_lock(str(tmp_path / "lock")))
    assert capfd.readouterr().out == (
        f"{tmp_path}/lock: no locks on this file system (No locks available); two launchers may train a job twice\n"
    )


def test_what_a_job_has_started_is_killed_when_it_ends() -> None:
    program = "import os, subprocess\nfrom benchmark.launch import job_process\nos.setsid()\n"
    program += "started = subprocess.Popen(['sleep', '100'], stdout=2)\n"
    program += "job_process.kill_descendants()\nprint(started.wait(20))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert done.stdout == "-9\n"


@pytest.mark.parametrize("stopped", [pytest.param("job", marks=pytest.mark.slow), "both"])
def test_a_stopped_process_goes_with_its_parent_and_what_it_started_too(tmp_path: Path, stopped: str) -> None:
    matrix = Matrix(tmp_path, {0: ["child slow 60"], 1: []})
    launcher = matrix.start("0-1", "--workers", "1", "--limit", "100")
    until(lambda: "met" in "".join(matrix.logs().get(0, [])))
    server, job = matrix.fork_servers()[0], int(matrix.logs()[0][0].split()[1])
    for pid in [job] if stopped == "job" else [server, job]:
        os.kill(pid, signal.SIGSTOP)
    assert len(matrix.processes()) == 5  # launcher, fork server, its reaper, the job, and what that started
    launcher.kill()
    launcher.wait()
    until(lambda: matrix.processes() == [], seconds=40)


@pytest.mark.slow
def test_a_job_stopped_when_its_fork_server_is_killed_holds_no_matrix(tmp_path: Path) -> None:
    matrix = Matrix(tmp_path, {0: ["child slow 60"], 1: []})
    launcher = matrix.start("0-1", "--workers", "1", "--limit", "100")
    until(lambda: "met" in "".join(matrix.logs().get(0, [])))
    server, job = matrix.fork_servers()[0], int(matrix.logs()[0][0].split()[1])
    os.kill(job, signal.SIGSTOP)
    os.kill(server, signal.SIGKILL)
    assert launcher.wait(100) == 0
    assert set(matrix.records()) == {0, 1} and matrix.processes() == []


def test_a_job_that_was_killed_for_its_time_may_have_ended_by_itself_in_the_last_moment() -> None:
    events: queue.SimpleQueue = queue.SimpleQueue()
    for event in ({"exit": LOST}, {"exit": 0}):
        events.put(event)
    assert [wait_for_kill(events), wait_for_kill(events)] == [{"exit": None}, {"exit": 0}]


def test_why_a_job_failed_is_told_where_no_disk_takes_it(tmp_path: Path) -> None:
    (tmp_path / "failures").write_text("in the way")
    task = Task("ab", "made", str(tmp_path), str(tmp_path / "log"), limit=7)
    failures = [engine.read_or_write_failure(Store(tmp_path), task, exit_code) for exit_code in (None, -9, 3)]
    assert [failure["class"] for failure in failures][:2] == ["timeout", "killed"]
    beginnings = ("ran past 7 s; ", "ended by signal 9; ", "ended with status 3 and no record; ")
    for failure, beginning in zip(failures, beginnings, strict=True):
        assert failure["message"].startswith(f"{beginning}the failure record could not be written (")


def test_a_job_that_stays_stopped_is_ended_and_one_that_goes_on_is_not(capfd) -> None:
    processes = [subprocess.Popen(["sleep", "100"], start_new_session=True) for _ in range(3)]
    server = ForkServer(-1, -1, {process.pid: f"job{n}" for n, process in enumerate(processes)})
    for process in processes[:2]:
        process.send_signal(signal.SIGSTOP)
    until(lambda: all(is_stopped(process.pid) for process in processes[:2]))
    for look in range(LOOKS):
        server.end_stopped_jobs()
        if look == LOOKS - 2:
            assert [process.poll() for process in processes] == [None] * 3
            processes[1].send_signal(signal.SIGCONT)
            until(lambda: not is_stopped(processes[1].pid))
    assert processes[0].wait(40) == -signal.SIGKILL
    assert [process.poll() for process in processes[1:]] == [None, None]
    assert capfd.readouterr().err.count("has been stopped (SIGSTOP)") == 1
    for process in processes[1:]:
        process.kill()
        process.wait()


def test_a_fork_server_outlives_the_thread_that_asked_for_it() -> None:
    children = Children()
    asking = threading.Thread(target=lambda: (children.start(), until(lambda: children.ready)))
    asking.start()
    asking.join()
    time.sleep(0.2)
    assert children.process.poll() is None
    children.close()
    assert children.process.wait(40) == 0


def test_a_fork_server_that_cannot_start_is_said_once_and_counts_against_no_job(tmp_path: Path, monkeypatch) -> None:
    children = Children()
    monkeypatch.setattr(engine, "CHILDREN", children)
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\necho started >> {tmp_path}/starts\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    outcomes = [run_in_child(task(tmp_path)) for _ in range(20)]
    assert {outcome.status for outcome in outcomes} == {"stopped"} and "cannot start" in outcomes[0].message
    assert (tmp_path / "starts").read_text() == "started\n" and not (tmp_path / "failures").exists()
    with pytest.raises(Stopped):
        children.start()


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_log_that_takes_nothing_more_does_not_change_the_class_of_a_failure(tmp_path: Path, monkeypatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Full())
    (tmp_path / "file").touch()
    assert record_failure(task(tmp_path / "file", attempt=1), Diverged("no number")) == EXIT_DIVERGED


FULL_DISK = """
import os, resource, sys
from benchmark.launch import job_process
from benchmark.task import Task
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
task = Task("a" * 20, "made", sys.argv[1], sys.argv[1] + "/log", launch="this one")
(alive, kept), (_, events) = os.pipe(), os.pipe()
job_process.run_child(task, alive, events)
"""


def test_a_disk_that_takes_neither_the_attempt_nor_the_log_is_called_full(tmp_path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], cwd=ROOT).returncode == EXIT_DISK
    assert (tmp_path / "log").read_bytes() == b""


def test_a_fork_server_whose_launcher_is_gone_ends_while_it_imports() -> None:
    server = subprocess.Popen([sys.executable, "-m", "benchmark.launch.fork_server"], cwd=ROOT, stdin=subprocess.PIPE)
    time.sleep(0.3)
    server.stdin.close()
    assert server.wait(30) in (0, 1)


def test_a_lost_fork_server_is_told_to_every_task_that_it_had(tmp_path: Path) -> None:
    children = Children()
    process = children.start()
    os.kill(process.pid, signal.SIGKILL)
    assert children.run(task(tmp_path, limit=30)) == (LOST, None) or children.process is not process
    children.close()
    with pytest.raises(Stopped):
        children.run(task(tmp_path))


def test_what_a_worker_made_comes_back_to_a_client_that_does_not_see_its_disk(tmp_path: Path, monkeypatch) -> None:
    there, here = Store(tmp_path / "there"), Store(tmp_path / "here")
    theirs = task(there.root, id=JOB.id, job=asdict(JOB))
    ours = replace(theirs, results=str(here.root))

    def run(task):
        attempt = there.begin_attempt(JOB.id)
        if attempt > 1:
            there.write(record(0.5), {})
        return int(attempt == 1), attempt

    monkeypatch.setattr(CHILDREN, "run", run)
    assert cluster.keep_result(cluster.supervise_on_worker(theirs), ours).status == "error"
    assert here.failure(JOB.id)["class"] == "error" and not here.done(JOB.id)
    there.forget_failures(JOB.id)
    there.begin_attempt(JOB.id)
    answer = cluster.supervise_on_worker(theirs)
    spoiled = answer[0], answer[1] | {".npz": b"something else"}
    assert cluster.keep_result(spoiled, ours).status == "error" and not here.done(JOB.id)
    assert cluster.keep_result(answer, ours).status == "ok"
    assert here.read(JOB.id) == there.read(JOB.id) and here.done(JOB.id)
    assert cluster.keep_result(cluster.supervise_on_worker(theirs), ours).status == "cached"


class Workers:
    """A Dask client whose workers have a disk of their own and answer at once."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk

    def submit(self, work, task, **_) -> Future:
        future: Future = Future()
        future.set_result(work(replace(task, results=str(self.disk))))
        future.release = lambda: None
        return future


def test_a_cluster_yields_an_outcome_a_task_and_keeps_the_records_here(tmp_path: Path, monkeypatch) -> None:
    there, here = Store(tmp_path / "there"), Store(tmp_path / "here")
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(as_completed=iter))
    monkeypatch.setattr(
        CHILDREN, "run", lambda task: (there.write(record(0.5), {}), (0, there.begin_attempt(task.id)))[1]
    )
    tasks = [task(here.root, id=JOB.id, job=asdict(JOB))]
    outcomes = list(cluster.run_on_workers(tasks, client=Workers(there.root), resources={}))
    assert [(outcome.id, outcome.status) for outcome in outcomes] == [(JOB.id, "ok")] and here.done(JOB.id)


def test_a_run_repeated_for_its_network_must_have_the_numbers_of_its_record(tmp_path: Path) -> None:
    store = Store(tmp_path)
    check_same_numbers(store, record(0.25))  # nothing is kept yet
    store.write(record(0.5), {})
    check_same_numbers(store, record(0.5))
    with pytest.raises(ValueError, match="it gave other numbers"):
        check_same_numbers(store, record(0.25))


def test_the_network_that_a_worker_kept_comes_back_to_the_record_that_it_belongs_to(tmp_path: Path) -> None:
    there, here = Store(tmp_path / "there"), Store(tmp_path / "here")
    theirs = task(there.root, id=JOB.id, job=asdict(JOB), place={"keep_weights": True})
    ours = replace(theirs, results=str(here.root))
    there.write(record(0.5), {})
    for suffix in (".safetensors", ".network.json"):
        there.path(JOB.id).with_suffix(suffix).write_bytes(suffix.encode())
    answer = cluster.supervise_on_worker(theirs)
    here.write(record(0.25), {})
    assert cluster.keep_result(answer, ours).status == "error" and not here.has_network(JOB.id)
    here.set_aside(JOB.id)
    assert cluster.keep_result(answer, ours).status == "cached" and here.has_network(JOB.id)
    assert here.network(JOB.id).read_bytes() == b".safetensors"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_dask_worker_that_dies_hangs_nothing_and_gpus_cap_what_runs_at_once(tmp_path: Path, monkeypatch) -> None:
    distributed, dask = pytest.importorskip("distributed"), pytest.importorskip("dask")
    matrix = Matrix(tmp_path, {seed: ["slow 0.4"] for seed in range(8)} | {1: ["worker"], 5: ["kill", "raise"]})
    monkeypatch.setenv("FER_FAULTS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    options = {"n_workers": 2, "threads_per_worker": 4, "resources": {"GPU": 1}, "memory_limit": 0}
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"}),
        distributed.LocalCluster(**options, dashboard_address=None) as workers,
    ):
        assert matrix.run("0-7", "--cluster", workers.scheduler_address) == 1
        assert matrix.run("0-7", "--cluster", workers.scheduler_address, "--retry-failed") == 0
    assert set(matrix.records()) == set(range(8))
    assert matrix.count("end") == dict.fromkeys(range(8), 1)
    spans = [[float(line.split()[-1]) for line in matrix.logs()[seed][-3:] if "met" not in line] for seed in range(8)]
    assert max(sum(start <= at < end for start, end in spans) for at, _ in spans) <= 2


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_scheduler_that_dies_is_said_in_a_line_for_each_job(tmp_path: Path, monkeypatch) -> None:
    distributed = pytest.importorskip("distributed")
    matrix = Matrix(tmp_path, {0: ["slow 60"], 1: []})
    monkeypatch.setenv("FER_FAULTS", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with distributed.LocalCluster(1, threads_per_worker=1, dashboard_address=None, memory_limit=0) as workers:
        launcher = matrix.start("0-1", "--cluster", workers.scheduler_address, "--limit", "100")
        until(lambda: len(matrix.count("begin")) == 1)
    assert launcher.wait(60) == 1
    words = (tmp_path / "launcher.txt").read_text()
    assert (
        words.count("the scheduler is gone; start it and its workers again (") == 2 and 'run_all.py", line' not in words
    )
    until(lambda: matrix.processes() == [], seconds=40)


@pytest.mark.slow
def test_a_batch_system_that_ends_every_process_at_once_costs_no_job_an_attempt(tmp_path: Path) -> None:
    matrix = Matrix(tmp_path, {0: ["slow 60"], 1: []})
    launcher = matrix.start("0-1", "--workers", "1", "--limit", "100")
    until(lambda: len(matrix.count("begin")) == 1)
    others = [pid for pid in matrix.processes() if pid != launcher.pid]
    for pid in others:
        os.kill(pid, signal.SIGTERM)
    until(lambda: len(matrix.processes()) < 1 + len(others), seconds=40)
    time.sleep(0.5)
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(40) == 1
    until(lambda: matrix.processes() == [], seconds=40)
    assert list(matrix.results.glob("failures/*")) == []
