"""Item 1: which card, what it reaches at most, whether the augmentation on it is that of a CPU, and the CUDA tests."""

import platform
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from benchmark.train.augment import plain
from benchmark.train.resize import resized_crop
from methods.support.recipe import Augment
from performance.gpu.course import Notes
from performance.gpu.setting import Setting

TESTS = [
    "-m",
    "pytest",
    "-q",
    "-n",
    "0",
    "-p",
    "no:cacheprovider",
    "-k",
    "cuda",
    "tests/gpu",
    "tests/benchmark/test_augment.py",
]


def card(setting: Setting, notes: Notes) -> None:
    notes["python"], notes["torch"] = platform.python_version(), torch.__version__
    if setting.cuda:
        about = torch.cuda.get_device_properties(0)
        notes["card"] = f"{about.name}, {about.total_memory / 2**30:.0f} GiB, {about.multi_processor_count} SMs"
        notes["capability"] = f"{about.major}.{about.minor}"
        notes["built for"] = torch.cuda.get_arch_list()
        notes["cuda, cudnn"] = [torch.version.cuda or "", str(torch.backends.cudnn.version())]
        notes["driver"] = driver()
    notes["peaks"] = peaks(setting)
    notes["augmentation, largest difference from a CPU in grey levels"] = differences(setting)
    if setting.rehearse:
        notes["CUDA tests"] = "not run in a rehearsal"
    else:
        done = subprocess.run([sys.executable, *TESTS], capture_output=True, text=True, timeout=45)
        print(done.stdout, done.stderr)
        notes["CUDA tests"] = (done.stdout.strip() or done.stderr.strip() or "said nothing").splitlines()[-1]


def driver() -> str:
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown ({error})"


def peaks(setting: Setting) -> dict[str, float]:
    """TFLOP/s of a matrix product in bf16, in TF32 and in fp32 without it, and GB/s of a copy."""
    size, found = 8192 if setting.cuda else 128, {}
    for name, kind, tf32 in (
        ("bf16", torch.bfloat16, False),
        ("tf32", torch.float32, True),
        ("fp32", torch.float32, False),
    ):
        a = torch.randn(size, size, device=setting.device, dtype=kind)
        torch.backends.cuda.matmul.allow_tf32 = tf32
        found[f"{name} TFLOP/s"] = 2 * size**3 / seconds(setting, lambda a=a: a @ a) / 1e12
    torch.backends.cuda.matmul.allow_tf32 = False
    block = torch.zeros(2**30 if setting.cuda else 2**20, dtype=torch.uint8, device=setting.device)
    found["copy GB/s"] = 2 * block.nbytes / seconds(setting, lambda: block.clone()) / 1e9
    return found


def seconds(setting: Setting, run: Callable[[], object], repeats: int = 10) -> float:
    """Of one call, once it is warm."""
    for _ in range(3):
        run()
    setting.wait()
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    setting.wait()
    return (time.perf_counter() - start) / repeats


def differences(setting: Setting) -> dict[str, float]:
    """Of the same images, resized and cropped there and on a CPU; every random choice is made before."""
    images = torch.randint(0, 256, (32, 100, 100, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    boxes, found = torch.tensor([[3, 5, 90, 80]] * 32), {}
    there = images.to(setting.device)
    for filter in ("bilinear", "bicubic"):
        recipe = Augment(resize=filter, mean=(0, 0, 0), std=(1 / 255,) * 3)
        sides = [plain(part, recipe, setting.side).cpu() for part in (images, there)]
        found[f"resize {filter}"] = float((sides[0] - sides[1]).abs().max())
        crops = [resized_crop(part, boxes.to(part.device), filter).float().cpu() for part in (images, there)]
        found[f"crop {filter}"] = float((crops[0] - crops[1]).abs().max())
    return found
