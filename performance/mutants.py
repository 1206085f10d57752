"""Do the tests notice? Small changes of one folder, drawn at random, and the share that its nearest tests notice.

`python -m performance.mutants methods [--sample 150] [--seed 0] [--at FOLDER]` names all changes that mutmut makes to the
folder, draws some of them, and runs mutmut on these in a copy of the project. A change counts as noticed if a test fails or
runs into its limit; a change that no test could notice counts as not noticed. mutmut asks only the tests that reach a line
in its own process, and of tests that share a fixture the first alone: what survives there meets all tests near the folder.
With --at the copy stays, and the changes that survived are written there.
"""

import argparse
import configparser
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
# The tests that are near to a folder and end in seconds; what takes minutes stands in .ci/run alone. Those without a folder
# are in tests/benchmark.
NEAR = {
    "noise": "tests/noise",
    "results": """
        test_store.py test_job.py tests/test_import_hostile.py tests/reports/test_report_records.py
        tests/results/test_kept.py tests/results/test_slim.py
    """,
    "methods": "tests/methods",
    "benchmark/plan": "test_job.py test_plan.py test_plan_cards.py",
    "benchmark/train": """
        test_augment.py test_strong.py test_facts.py test_a_record.py test_hooks.py test_start_weights.py
        test_pretrain.py::test_the_demos_own_images_are_left_out_where_others_are_enough
        test_pretrain.py::test_shape_targets_are_white_and_blind_to_position_size_and_rotation
        test_checkpoint.py test_what_a_method_is_given.py
    """,
    "reports": "tests/reports",
    "benchmark/cache": """
        test_archives.py test_cache.py test_earlier_labels.py test_landmarks.py test_leaks.py test_own_code.py
        test_faces.py::test_the_cache_stores_them test_prepare.py test_resized.py
    """,
    "benchmark/datasets": """
        test_affectnet.py test_archives.py test_faces.py test_fer2013_forms.py test_ferplus.py test_forms.py
        test_left_out.py test_pictures.py test_placeholders.py test_rafdb.py
    """,
    "benchmark/commands": """
        test_check.py test_landmarks.py test_named_data.py test_noise_list.py test_own_backbones.py
        test_plan.py test_plan_cards.py test_prepare.py test_store.py test_tuning.py
        tests/reports/test_later.py tests/test_against.py tests/test_export.py tests/test_import_hostile.py
        tests/test_metric_command.py tests/test_records_of_others.py tests/test_reproduce_in_a_clone.py
        tests/test_run_all.py tests/test_trained_networks.py
    """,
    "benchmark/launch": """
        test_dispatch.py test_own_folders.py test_plan_cards.py test_progress.py test_slurm_part.py
        tests/test_drawing_first.py tests/test_where_it_runs.py tests/test_trained_networks.py tests/gpu/test_hardware.py
    """,
    "benchmark/check": """
        test_check.py test_hooks.py test_kept_networks.py test_mechanism.py test_own_backbones.py
        tests/gpu/test_fake_cuda_device.py tests/gpu/test_graphs.py
    """,
}
# Tests that read the project's own text, which is another one inside mutmut's copy.
OUTSIDE = ["tests/results/test_records_of_before.py", "tests/results/test_reference.py"]
SURVIVED = {0, 5, 33}  # mutmut's codes: no test failed, or none of its own process runs the line
# Rooms whose tests leave orphans to the process that runs them, which mutmut's own cannot take.
IN_PROCESSES = {"benchmark/launch"}
WITH_SLOW = {"benchmark/check"}  # most of its tests are slow
NOTICED = {1, 3, 36, 24, -24, 152, 255, -11, -9}  # mutmut's codes: failed, out of time, crashed

SHOW = """
import sys
from mutmut.mutation.diff_apply import get_diff_for_mutant
for name in sys.argv[1:]:
    print("#", name, get_diff_for_mutant(name), sep="\\n")
"""


def list_changes(folder: str, at: Path) -> list[str]:
    """All changes that mutmut makes to the files of a folder, as it names them. `at`: the copy, whose settings it reads."""
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    found = []
    with contextlib.chdir(at):
        for path in sorted(Path(folder).rglob("*.py")):
            changes = mutate_file_contents(str(path), path.read_text()).mutant_names
            found += [get_mutant_name(path, name) for name in changes]
    return found


def write_settings(at: Path, **values: list[str]) -> None:
    """Give mutmut these settings in the copy."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(at / "setup.cfg")
    settings["mutmut"] |= {name: "\n".join(["", *lines]) for name, lines in values.items()}
    with open(at / "setup.cfg", "w") as file:
        settings.write(file)


def copy_project(folder: str, at: Path) -> None:
    """The project as git knows it, with mutmut told to change this folder and to run the tests near it."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (at / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, at / name)
    write_settings(
        at,
        source_paths=[folder],
        pytest_add_cli_args_test_selection=near_tests(folder),
        pytest_add_cli_args=pytest_options(folder),
    )


def near_tests(folder: str) -> list[str]:
    """Files, folders and single tests, as pytest takes them."""
    return [name if name.startswith("tests/") else f"tests/benchmark/{name}" for name in NEAR[folder].split()]


def pytest_options(folder: str) -> list[str]:
    chosen_marks = ["-m", "slow or not slow"] if folder in WITH_SLOW else []
    return ["-n", "0", *chosen_marks, *(f"--ignore={path}" for path in OUTSIDE)]


def run_changes(folder: str, drawn: list[str], at: Path) -> dict[str, int | None]:
    """{change: mutmut's exit code}, written into `at` too, what survived with its text."""
    if folder in IN_PROCESSES:
        write_changes(drawn, at)
        if try_in_processes(folder, "", at) in NOTICED:
            sys.exit(f"the near tests fail without any change: see {at / 'processes.txt'} (name a folder by --at)")
        codes = dict.fromkeys(drawn, 33)
    else:
        codes = run_mutmut(folder, drawn, at)
    codes |= {name: try_in_processes(folder, name, at) for name, code in codes.items() if code in SURVIVED}
    survived = [name for name, code in codes.items() if code not in NOTICED]
    show = [sys.executable, "-c", SHOW, *survived]
    shown = subprocess.run(show, cwd=at, env=ENVIRONMENT, capture_output=True, text=True)
    (at / "survived.txt").write_text(shown.stdout + shown.stderr)
    return codes


def run_mutmut(folder: str, drawn: list[str], at: Path) -> dict[str, int | None]:
    """mutmut's codes of the changes that were drawn; None where it did not come so far."""
    program = str(Path(sys.executable).with_name("mutmut"))
    with open(at / "mutmut.txt", "w") as words:
        subprocess.run([program, "run", *drawn], cwd=at, env=ENVIRONMENT, stdout=words, stderr=words)
    codes: dict[str, int | None] = {}
    for path in sorted((at / "mutants" / folder).rglob("*.meta")):
        codes |= json.loads(path.read_text())["exit_code_by_key"]
    return {name: codes.get(name) for name in drawn}


def list_files(drawn: list[str], at: Path) -> list[str]:
    """The files that changes belong to."""
    modules = {name.rpartition(".")[0].replace(".", "/") for name in drawn}
    return sorted(f"{path}/__init__.py" if (at / path).is_dir() else f"{path}.py" for path in modules)


def write_changes(drawn: list[str], at: Path) -> None:
    """Write the files with all their changes, of which MUTANT_UNDER_TEST names the one that is on, where mutmut would."""
    from mutmut.mutation.file_mutation import mutate_file_contents

    shutil.copytree(at, at / "mutants", ignore=shutil.ignore_patterns("mutants"))
    with contextlib.chdir(at):
        for name in list_files(drawn, at):
            (at / "mutants" / name).write_text(mutate_file_contents(name, Path(name).read_text()).code)


def try_in_processes(folder: str, name: str, at: Path) -> int:
    """mutmut's code for a change that only processes run which the tests start; it looks at its own process alone."""
    environment = ENVIRONMENT | {"MUTANT_UNDER_TEST": name}
    pytest = [sys.executable, "-m", "pytest", "-x", *pytest_options(folder), *near_tests(folder)]
    with open(at / "processes.txt", "a") as words:
        print(name, file=words, flush=True)
        try:
            ended = subprocess.run(
                pytest, cwd=at / "mutants", env=environment, stdout=words, stderr=words, timeout=1800
            )
        except subprocess.TimeoutExpired:
            return 36
    return 1 if ended.returncode else 33


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", choices=NEAR)
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--at", type=Path, help="an empty folder for the copy, which then stays")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        at = args.at or Path(aside)
        copy_project(args.folder, at)
        every = list_changes(args.folder, at)
        drawn = sorted(random.Random(args.seed).sample(every, min(args.sample, len(every))))
        write_settings(at, only_mutate=list_files(drawn, at))  # quicker than the whole folder
        codes = run_changes(args.folder, drawn, at)
    if None in codes.values():
        sys.exit(f"mutmut did not end: see {at / 'mutmut.txt'} (name a folder by --at)")
    noticed = sum(code in NOTICED for code in codes.values())
    low, high = binomtest(noticed, len(drawn)).proportion_ci(method="wilson")
    print(f"{args.folder}: {len(every)} changes, {len(drawn)} drawn with seed {args.seed}: {noticed} noticed")
    print(f"  {noticed / len(drawn):.1%} (95 % interval {low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
