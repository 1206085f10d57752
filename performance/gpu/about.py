"""Item 1: which GPU it is, whether the augmentation on it is that of a CPU, and the CUDA tests."""

import platform
import subprocess
import sys

import torch

from benchmark.train.augment import plain_images
from benchmark.train.resize import resized_crop
from methods.support.recipe import Augment
from performance.gpu.course import Notes
from performance.gpu.setting import Setting

TESTS = ["-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", "cuda"]
TESTS += ["tests/gpu", "tests/benchmark/test_augment.py"]


def describe_gpu(setting: Setting, notes: Notes) -> None:
    notes["python"], notes["torch"] = platform.python_version(), torch.__version__
    if setting.cuda:
        about = torch.cuda.get_device_properties(0)
        notes["GPU"] = f"{about.name}, {about.total_memory / 2**30:.0f} GiB, {about.multi_processor_count} SMs"
        notes["capability"] = f"{about.major}.{about.minor}"
        notes["built for"] = torch.cuda.get_arch_list()
        notes["cuda, cudnn"] = [torch.version.cuda or "", str(torch.backends.cudnn.version())]
        notes["driver"] = driver_version()
    notes["augmentation, largest difference from a CPU in grey levels"] = augmentation_differences(setting)
    if setting.rehearse:
        notes["CUDA tests"] = "not run in a rehearsal"
        return
    done = subprocess.run([sys.executable, *TESTS], capture_output=True, text=True, timeout=45)
    print(done.stdout, done.stderr)
    notes["CUDA tests"] = (done.stdout.strip() or done.stderr.strip() or "said nothing").splitlines()[-1]


def driver_version() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown ({error})"


def augmentation_differences(setting: Setting) -> dict[str, float]:
    """Of the same images, resized and cropped on the GPU and on a CPU; every random choice is made before."""
    images = torch.randint(0, 256, (32, 100, 100, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[3, 5, 90, 80]] * 32)
    copies = [images, images.to(setting.device)]
    differences = {}
    for filter in ("bilinear", "bicubic"):
        recipe = Augment(resize=filter, mean=(0, 0, 0), std=(1 / 255,) * 3)
        sides = [plain_images(copy, recipe, setting.side).cpu() for copy in copies]
        differences[f"resize {filter}"] = float((sides[0] - sides[1]).abs().max())
        crops = [resized_crop(copy, boxes.to(copy.device), filter).float().cpu() for copy in copies]
        differences[f"crop {filter}"] = float((crops[0] - crops[1]).abs().max())
    return differences
