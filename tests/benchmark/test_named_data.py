"""Data as it is named on the command line: one place for one name, and what is known of it is said by every command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.commands import data_card, noise_list
from benchmark.commands.run_all import main

ROOT = Path(__file__).parents[2]


def test_two_places_for_one_data_set_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    given = [word for name in "ab" for word in ("--data", f"folder={tmp_path / name}")]
    assert main(["--table", "1", *given]) == 2
    assert f"folder is given twice, {tmp_path / 'a'} and {tmp_path / 'b'}" in capsys.readouterr().err
    assert data_card.main(["folder", str(tmp_path / "a"), "--data", str(tmp_path / "b"), "--out", str(tmp_path)]) == 2


def test_every_command_says_what_is_known_of_the_data(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from PIL import Image

    for split in ("train", "test"):
        for c, name in enumerate(("happy", "sad")):
            for n in range(3):
                path = tmp_path / "own faces" / split / name / f"{n}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (40, 40), (20 * n, 90 * c, len(split) * 9)).save(path)
    (tmp_path / "own faces" / "train" / "happy" / "a.heic").write_bytes(b"x")
    words = [
        "folder",
        "--data",
        f"folder={tmp_path / 'own faces'}",
        "--kind",
        "symmetric",
        "--results",
        str(tmp_path / "runs"),
    ]
    assert noise_list.main([*words, "--out", str(tmp_path / "my list.txt")]) == 0
    seen = capsys.readouterr()
    assert "1 file is left out" in seen.err and ".heic" in seen.err
    assert f"--data 'folder={tmp_path / 'own faces'}'" in seen.out and f"'file:{tmp_path / 'my list.txt'}'" in seen.out


def test_where_no_unix_is_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['fcntl'] = None\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    for program in (["run_all.py", "--table", "1"], ["-m", "benchmark", "data-card", "faces"]):
        done = subprocess.run(
            [sys.executable, *program], cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True
        )
        assert done.returncode == 2 and b"Traceback" not in done.stderr
        assert done.stderr.decode().count("\n") == 1 and "WSL" in done.stderr.decode()
