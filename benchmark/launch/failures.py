"""Which class an error of a job belongs to (`benchmark.launch.dispatch` says what becomes of each)."""

from benchmark.task import EXIT_DEVICE, EXIT_DISK, EXIT_DIVERGED, EXIT_ERROR, EXIT_MEMORY, FULL

# What torch and its libraries say; only some of it comes as torch.OutOfMemoryError.
NO_MEMORY = (
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "DefaultCPUAllocator: can't allocate",
    "DefaultCPUAllocator: not enough memory",
)
DEVICE_FAULTS = (  # of the GPU, its driver or its neighbours: another attempt may well succeed
    "unspecified launch failure",
    "all CUDA-capable devices are busy or unavailable",
    "device busy",
    "uncorrectable ECC error",
    "the launch timed out and was terminated",
    "hardware failure",
    "fallen off the bus",
    "CUDNN_STATUS_EXECUTION_FAILED",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "an illegal instruction was encountered",
)


def classify_error(error: BaseException) -> tuple[str, int]:
    """The class of a failure and the exit status that stands for it."""
    from torch import OutOfMemoryError

    from benchmark.train.loop import Diverged

    error_text = str(error)
    if isinstance(error, Diverged):
        return "nan", EXIT_DIVERGED
    if isinstance(error, OutOfMemoryError | MemoryError):
        return "oom", EXIT_MEMORY
    if isinstance(error, OSError):
        return ("disk", EXIT_DISK) if error.errno in FULL else ("error", EXIT_ERROR)
    if isinstance(error, RuntimeError) and any(phrase in error_text for phrase in NO_MEMORY):
        return "oom", EXIT_MEMORY
    if isinstance(error, RuntimeError) and any(phrase in error_text for phrase in DEVICE_FAULTS):
        return "killed", EXIT_DEVICE
    return "error", EXIT_ERROR
