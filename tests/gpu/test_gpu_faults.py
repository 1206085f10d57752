"""GPUs that cannot work are found before any job; what a GPU says gets its right class."""

import os
from pathlib import Path

import pytest
import torch

from benchmark.launch import job_process, tasks
from benchmark.launch.gpu_preflight import try_gpus
from benchmark.launch.tasks import classify_error
from benchmark.task import Task
from benchmark.terminal import Usage
from results.store import Store

ERRORS = {
    "CUDA error: out of memory": "oom",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`": "oom",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED": "oom",
    "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes": "oom",
    "CUDA error: unspecified launch failure": "killed",
    "CUDA error: all CUDA-capable devices are busy or unavailable": "killed",
    "CUDA error: uncorrectable ECC error encountered": "killed",
    "CUDA error: device-side assert triggered": "error",  # a label out of range stays one
    "mat1 and mat2 shapes cannot be multiplied": "error",
}
STAND_IN = """
import os, sys
if os.environ["CUDA_VISIBLE_DEVICES"] != "GPU-good":
    sys.exit("RuntimeError: CUDA error: no kernel image is available for execution on the device")
sys.exit(0)
"""


@pytest.mark.parametrize("text", ERRORS)
def test_what_a_gpu_says_gets_its_class(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(task: Task) -> None:
        raise getattr(torch, "AcceleratorError", RuntimeError)(text) if "CUDA" in text else RuntimeError(text)

    monkeypatch.setattr(tasks, "run_task", run)
    (tmp_path / "log").write_text("")
    status = job_process.do_task(Task("0" * 20, "made", str(tmp_path), str(tmp_path / "log"), attempt=1))
    assert Store(tmp_path).failure("0" * 20)["class"] == ERRORS[text] and status != 0


def test_memory_of_python_and_a_full_disk_keep_their_classes() -> None:
    assert classify_error(MemoryError())[0] == classify_error(torch.OutOfMemoryError("no"))[0] == "oom"
    assert classify_error(OSError(28, "No space left on device"))[0] == "disk"
    assert (
        classify_error(OSError(2, "No such file"))[0]
        == classify_error(ValueError("CUDA error: out of memory"))[0]
        == "error"
    )


def test_each_gpu_is_tried_and_the_bad_one_named_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    try_gpus(["GPU-good"], "bf16")
    with pytest.raises(Usage, match=r"the GPU GPU-bad cannot be used: .*no kernel image.*install one that has"):
        try_gpus(["GPU-good", "GPU-bad"], "bf16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_listed_gpu_without_a_driver_is_found_by_the_real_trial() -> None:
    with pytest.raises(Usage, match=r"GPU-none cannot be used.*(driver|CUDA)"):
        try_gpus(["GPU-none"], "fp32")
