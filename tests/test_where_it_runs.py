"""Machines that are not the author's: nothing temporary can be written, a folder is shared, a checkout is another's."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark import hardware
from benchmark.launch import supervise as engine
from benchmark.launch.children import CHILDREN
from benchmark.launch.preflight import check_writable_inside, shared_like
from benchmark.launch.supervise import run_in_child
from benchmark.task import EXIT_ERROR, Task
from benchmark.terminal import Usage
from benchmark.train.provenance import describe_checkout

ROOT = Path(__file__).resolve().parent.parent
STRANGER = 12345  # a user id that owns nothing here
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="another user can be played by root alone")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def as_stranger(function, *arguments) -> str:
    """What a function raises for another user; empty where it does not."""
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()

    def ask() -> None:
        os.setgroups([])
        os.setgid(STRANGER)
        os.setuid(STRANGER)
        try:
            function(*arguments)
            answers.put("")
        except Exception as error:
            answers.put(f"{type(error).__name__}: {error}")

    process = fork.Process(target=ask)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    return answers.get()


@as_root
def test_a_folder_that_all_may_write_stays_one_and_a_private_one_too(open_folder: Path) -> None:
    for mode, inside in {0o777: 0o777, 0o775: 0o775, 0o755: 0o755, 0o1777: 0o755}.items():
        results = open_folder / oct(mode)
        results.mkdir()
        results.chmod(mode)
        before = os.umask(0o022)
        with shared_like(results):
            (results / "logs").mkdir()
            (results / "logs" / "a.log").touch()
        assert os.umask(before) == 0o022
        assert (results / "logs").stat().st_mode & 0o777 == inside
        assert (results / "logs" / "a.log").stat().st_mode & 0o777 == inside & 0o666


@as_root
def test_what_another_user_keeps_is_named_before_training(open_folder: Path) -> None:
    results = open_folder / "run s"
    results.mkdir()
    results.chmod(0o777)
    (results / "data").mkdir()  # decoded data of others are read
    assert as_stranger(check_writable_inside, results, []) == ""
    (results / "logs").mkdir()
    said = as_stranger(check_writable_inside, results, [])
    assert said.startswith(f"Usage: --results: {results}/logs belongs to user {os.getuid()} and you may not write it")
    assert f"chmod -R a+w '{results}'" in said and "\n" not in said
    with shared_like(results):
        (results / "logs").rmdir()
        (results / "logs").mkdir()
    assert as_stranger(check_writable_inside, results, []) == ""


@as_root
@pytest.mark.skipif(shutil.which("git") is None, reason="no git")
def test_the_commit_of_a_checkout_that_somebody_else_owns_is_known(open_folder: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-C", str(open_folder)]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], check=True, timeout=60)
    mine = describe_checkout(open_folder)
    for path in (open_folder, *open_folder.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    refused = subprocess.run(["git", "-C", str(open_folder), "describe", "--always"], capture_output=True, timeout=60)
    assert refused.returncode != 0
    assert mine and describe_checkout(open_folder) == mine


def test_no_message_names_a_log_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "a.log"
    task = Task("ab", str(tmp_path / "made"), str(tmp_path), str(log))
    monkeypatch.setattr(CHILDREN, "run", lambda task: (EXIT_ERROR, None))
    assert run_in_child(task).message == "could not begin; the reason is printed above"
    log.write_text("Traceback\n")
    assert run_in_child(task).message == f"could not begin; see {log}"
    monkeypatch.setattr(engine.os, "access", lambda path, mode: False)  # another user's, of an earlier attempt
    assert run_in_child(task).message == "could not begin; the reason is printed above"


def test_a_machine_without_a_temporary_folder_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(hardware.tempfile, "gettempdir", refuse)
    with pytest.raises(Usage, match="TMPDIR"):
        hardware.list_slots(["GPU-1"], 1)


@pytest.mark.slow
@as_root
def test_a_run_needs_neither_shared_memory_nor_a_temporary_folder(open_folder: Path) -> None:
    script = "mount -t tmpfs -o ro tmpfs /dev/shm; mount --bind -o ro /tmp /tmp; mount --bind -o ro /var/tmp /var/tmp; "
    script += 'mount --bind "$KEEP" "$KEEP"; mount -o remount,bind,rw "$KEEP"; exec "$@"'
    line = [
        sys.executable,
        str(ROOT / "run_all.py"),
        "--table",
        "clean",
        "--datasets",
        "specks",
        "--methods",
        "baseline",
    ]
    line += ["--methods-path", str(ROOT / "performance" / "faulty"), "--set", "recipe.epochs=1", "--seeds", "0-1"]
    line += ["--weights", "random", "--devices", "cpu", "--workers", "2"]
    line += ["--results", str(open_folder / "runs"), "--out", str(open_folder / "out")]
    try:
        subprocess.run(["unshare", "-m", "true"], check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no mount namespaces")
    environment = os.environ | {"KEEP": str(open_folder), "HOME": "/nonexistent"}
    inside = ["unshare", "-m", "bash", "-ec", script, "-", *line]
    done = subprocess.run(inside, env=environment, cwd="/", capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "2 running" in done.stderr and "serial" not in done.stderr
