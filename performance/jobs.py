"""What a job costs beyond its training: a fresh process, a fork of the nursery, and many jobs side by side.

`python -m performance.jobs` prints the start of a process that builds a ResNet-18, as a fresh process and as a child
forked from one that has imported torch, in turn; and the throughput of one job a core against one job on all cores.
"""

import subprocess
import sys
import time
from statistics import median

BUILD = (
    "import torch; torch.set_num_threads(1); from methods.support.backbones import BACKBONES; BACKBONES['resnet18'](3)"
)
FORK = """
import os, time, torch
from methods.support.backbones import BACKBONES
for _ in range({count}):
    start = time.perf_counter()
    if os.fork() == 0:
        torch.set_num_threads(1)
        BACKBONES['resnet18'](3)
        os._exit(0)
    os.wait()
    print(time.perf_counter() - start)
"""
TRAIN = """
import sys, time, torch
threads = int(sys.argv[1])
torch.set_num_threads(threads)
from methods.support.backbones import BACKBONES
network = BACKBONES['resnet10_w16'](1).to(memory_format=torch.channels_last)
images = torch.randn(64, 1, 32, 32).contiguous(memory_format=torch.channels_last)
for turn in range(2):
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < (1 if turn == 0 else 5):
        network(images).sum().backward()
        count += len(images)
print(count / (time.perf_counter() - start))
"""


def start_seconds(count: int = 5) -> tuple[float, float]:
    """Median seconds of a fresh process and of a forked child, each building the same network."""
    fresh = []
    for _ in range(count):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", BUILD], check=True)
        fresh.append(time.perf_counter() - start)
    text = subprocess.run([sys.executable, "-c", FORK.format(count=count)], capture_output=True, text=True, check=True)
    return median(fresh), median(map(float, text.stdout.split()))


def throughput(processes: int, threads: int) -> float:
    """Training images/s of all processes together."""
    command = [sys.executable, "-c", TRAIN, str(threads)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(float(process.communicate()[0]) for process in running)


def main() -> None:
    from benchmark.hardware import cores

    fresh, forked = start_seconds()
    print(f"jobs: start of a job: fresh process {fresh:.2f} s, forked child {forked:.3f} s: {fresh / forked:.0f}x")
    n = cores()
    pairs = [(throughput(n, 1), throughput(1, n)) for _ in range(3)]
    side, wide = (median(part) for part in zip(*pairs))
    print(f"jobs: {n} jobs of 1 thread {side:.0f} images/s, 1 job of {n} threads {wide:.0f}: {side / wide:.2f}x")


if __name__ == "__main__":
    main()
