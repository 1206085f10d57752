"""Do the tests notice? Small changes of one folder, drawn at random, and the share that its nearest tests notice.

`python -m performance.mutants methods [--sample 150] [--seed 0] [--at FOLDER]` names all changes that mutmut makes to the
folder, draws some of them, and runs mutmut on these in a copy of the project. A change counts as noticed if a test fails or
runs into its limit; a change of a line that no test reaches counts as not noticed, and so does one that no test could
notice (CONTRIBUTING.md has the kinds). With --at the copy stays, and the changes that survived are written there.
"""

import argparse
import configparser
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from math import sqrt
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The tests that are near to a folder and end in seconds; what takes minutes stands in .ci/run alone.
NEAR = {
    "noise": ["tests/noise"],
    "results": [
        "tests/benchmark/test_store.py",
        "tests/benchmark/test_job.py",
        "tests/test_import_hostile.py",
        "tests/reports/test_report_records.py",
        "tests/results/test_kept.py",
        "tests/results/test_slim.py",
    ],
    "methods": ["tests/methods"],
    "benchmark/plan": [
        "tests/benchmark/test_job.py",
        "tests/benchmark/test_plan.py",
        "tests/benchmark/test_plan_cards.py",
    ],
    "benchmark/train": [
        "tests/benchmark/test_augment.py",
        "tests/benchmark/test_strong.py",
        "tests/benchmark/test_facts.py",
        "tests/benchmark/test_a_record.py",
        "tests/benchmark/test_hooks.py",
        "tests/benchmark/test_start_weights.py",
        "tests/benchmark/test_pretrain.py::test_the_demos_own_images_are_left_out_where_others_are_enough",
        "tests/benchmark/test_pretrain.py::test_shape_targets_are_white_and_blind_to_position_size_and_rotation",
        "tests/benchmark/test_checkpoint.py",
        "tests/benchmark/test_what_a_method_is_given.py",
    ],
}
# Tests that read the project's own text, which is another one inside mutmut's copy.
OUTSIDE = ["tests/results/test_records_of_before.py", "tests/results/test_reference.py"]
NOTICED = {1, 3, 36, 24, -24, 152, 255, -11, -9}  # mutmut's codes: failed, out of time, crashed

SHOW = """
import sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
for name in sys.argv[1:]:
    print("#", name, get_diff_for_mutant(name), sep="\\n")
"""


def list_changes(folder: str) -> list[str]:
    """All changes that mutmut makes to the files of a folder, as it names them."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        inside = path.relative_to(ROOT)
        found += [get_mutant_name(inside, n) for n in mutate_file_contents(str(inside), path.read_text()).mutant_names]
    return found


def copy_project(folder: str, at: Path) -> None:
    """The project as git knows it, with mutmut told to change this folder and to run the tests near it."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (at / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, at / name)
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(at / "setup.cfg")
    settings["mutmut"]["source_paths"] = folder
    settings["mutmut"]["pytest_add_cli_args_test_selection"] = "\n".join(["", *NEAR[folder]])
    settings["mutmut"]["pytest_add_cli_args"] = "\n".join(["", "-n", "0", *(f"--ignore={path}" for path in OUTSIDE)])
    with open(at / "setup.cfg", "w") as file:
        settings.write(file)


def run_changes(folder: str, drawn: list[str], at: Path) -> dict[str, int | None]:
    """{change: mutmut's exit code}, written into `at` too, what survived with its text."""
    program = str(Path(sys.executable).with_name("mutmut"))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    with open(at / "mutmut.txt", "w") as words:
        subprocess.run([program, "run", *drawn], cwd=at, env=environment, stdout=words, stderr=words)
    codes: dict[str, int | None] = {}
    for path in sorted((at / "mutants" / folder).rglob("*.meta")):
        codes |= json.loads(path.read_text())["exit_code_by_key"]
    codes = {name: codes.get(name) for name in drawn}
    survived = [name for name, code in codes.items() if code not in NOTICED]
    show = [sys.executable, "-c", SHOW, *survived]
    shown = subprocess.run(show, cwd=at, env=environment, capture_output=True, text=True)
    (at / "survived.txt").write_text(shown.stdout + shown.stderr)
    return codes


def wilson_interval(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    middle, half = share + z * z / (2 * n), z * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", choices=NEAR)
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at", type=Path, help="an empty folder for the copy, which then stays")
    args = parser.parse_args()
    every = list_changes(args.folder)
    drawn = sorted(random.Random(args.seed).sample(every, min(args.sample, len(every))))
    with tempfile.TemporaryDirectory() as aside:
        at = args.at or Path(aside)
        copy_project(args.folder, at)
        codes = run_changes(args.folder, drawn, at)
    if None in codes.values():
        sys.exit(f"mutmut did not end: see {at / 'mutmut.txt'} (name a folder by --at)")
    noticed = sum(code in NOTICED for code in codes.values())
    low, high = wilson_interval(noticed / len(drawn), len(drawn))
    print(f"{args.folder}: {len(every)} changes, {len(drawn)} drawn with seed {args.seed}: {noticed} noticed")
    print(f"  {noticed / len(drawn):.1%} (95 % interval {low:.1%} to {high:.1%})")
    print(f"  never reached: {sum(code in (5, 33) for code in codes.values())}")


if __name__ == "__main__":
    main()
