"""Each GPU tried in a process of its own before any job: a tensor, a convolution, a product in the job's precision."""

import os
import subprocess
import sys

from benchmark.terminal import Usage

TRIAL = """
import sys, torch
x = torch.randn(2, 3, 16, 16, device="cuda")
y = torch.nn.functional.conv2d(x, torch.randn(4, 3, 3, 3, device="cuda"))
if sys.argv[1] == "bf16":
    z = torch.randn(16, 16, device="cuda", dtype=torch.bfloat16)
    y = y.sum() + (z @ z).float().sum()
assert bool(torch.isfinite(y).all()), "a convolution gives values that are not finite"
"""
SECONDS = 180
FIXES = {  # what the error says: what helps
    "no kernel image": "this build of torch has no kernels for it; install one that has (pytorch.org), or use --devices cpu",
    "NVIDIA driver": "install or update the driver, or use --devices cpu",
    "not compiled with CUDA": "install a build of torch with CUDA, or use --devices cpu",
    "out of memory": "its memory is taken by other processes; free it, or choose another with --devices cuda:N",
}
OTHER_FIX = "leave it out with CUDA_VISIBLE_DEVICES or --devices cuda:N, or use --devices cpu"


def try_gpus(gpus: list[str], precision: str) -> None:
    """Raises Usage for the first GPU that cannot work, with its name, its error and what helps."""
    trial_processes = {gpu: start_trial(gpu, precision) for gpu in gpus}
    for gpu, trial_process in trial_processes.items():
        if error := wait_for_error(trial_process):
            gpu_fix = next((gpu_fix for error_phrase, gpu_fix in FIXES.items() if error_phrase in error), OTHER_FIX)
            raise Usage(f"--devices: the GPU {gpu} cannot be used: {error.splitlines()[-1][:300]}; {gpu_fix}")


def start_trial(gpu: str, precision: str) -> subprocess.Popen:
    command = [sys.executable, "-c", TRIAL, precision]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": gpu}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def wait_for_error(trial_process: subprocess.Popen) -> str:
    """What a trial that failed printed; '' of one that went well."""
    try:
        printed_text, _ = trial_process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        trial_process.kill()
        trial_process.communicate()
        return f"it did not answer within {SECONDS} s"
    if trial_process.returncode == 0:
        return ""
    return printed_text.strip() or f"its trial ended with status {trial_process.returncode}"
