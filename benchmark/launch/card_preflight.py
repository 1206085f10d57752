"""Each card tried in a process of its own before any job: a tensor, a convolution, a product in the job's precision."""

import subprocess
import sys

from benchmark.launch.locks import visible_only
from benchmark.terminal import Usage

TRY = """
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
OTHERWISE = "leave it out with CUDA_VISIBLE_DEVICES or --devices cuda:N, or use --devices cpu"


def try_cards(cards: list[str], precision: str) -> None:
    """Raises Usage for the first card that cannot work, with its name, what it said and what helps."""
    running = {
        card: subprocess.Popen(
            [sys.executable, "-c", TRY, precision], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=visible_only(card),
        )
        for card in cards
    }  # fmt: skip
    ends = {card: end_of(process) for card, process in running.items()}
    for card, said in ends.items():
        if said:
            fix = next((fix for words, fix in FIXES.items() if words in said), OTHERWISE)
            raise Usage(f"--devices: the GPU {card} cannot be used: {said.splitlines()[-1][:300]}; {fix}")


def end_of(process: subprocess.Popen) -> str:
    """'' of a trial that went well, else what it said."""
    try:
        text, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"it did not answer within {SECONDS} s"
    return "" if process.returncode == 0 else text.strip() or f"its trial ended with status {process.returncode}"
