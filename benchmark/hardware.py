"""What this machine has, asked without importing torch.

GPUs are taken from nvidia-smi line by line, so that a broken neighbour hides none; a MIG slice is a GPU of its own.
Where nvidia-smi is silent although something speaks for a GPU, torch is asked in a child process. Whatever is seen and
not used has a line in `list_unused()`.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from benchmark.terminal import Usage

LISTED = re.compile(r"^\s*(?P<uuid>GPU-[0-9a-fA-F-]{8,})\s*,\s*(?P<capability>.*?)\s*$")
DEVICE = re.compile(r"^(?P<indent>\s*)(?P<name>.*?)\s*\(UUID:\s*(?P<uuid>(?:MIG|GPU)-[^)\s]+)\s*\)")
SIGNS = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg")  # of a GPU of this vendor, the last one under WSL
AMD = "/dev/kfd"
ASK = """
import json, os, torch
seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
found = [torch.cuda.get_device_capability(i) for i in range(seen)]
print(json.dumps({"hip": bool(torch.version.hip), "capabilities": [a + b / 10 for a, b in found]}))
"""


@dataclass(frozen=True)
class Gpu:
    """A GPU or a MIG slice of one. name: what CUDA_VISIBLE_DEVICES calls it. capability: None where nothing tells."""

    name: str
    capability: float | None
    slices: tuple["Gpu", ...] = ()

    @property
    def usable(self) -> tuple["Gpu", ...]:
        """Its slices where it is cut: then CUDA takes no whole GPU."""
        return self.slices or (self,)


@dataclass
class Machine:
    """The GPUs that can be used, and a line for everything that is seen and is not."""

    gpus: list[Gpu] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def find_gpus() -> list[tuple[str, float]]:
    """(UUID, compute capability) of every visible GPU or MIG slice; capability 0 where nothing tells."""
    return [(gpu.name, gpu.capability or 0.0) for gpu in read_machine().gpus]


def list_unused() -> list[str]:
    """What was seen of GPUs and is not used, a line each; nothing on a machine without."""
    return read_machine().lines


def look_harder() -> list[str]:
    """Look for GPUs where nothing speaks for one, since one was asked for; returns `list_unused()`."""
    machine = read_machine()
    if not machine.gpus and not machine.lines:
        add_gpus_of_torch(machine, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return machine.lines


@lru_cache
def read_machine() -> Machine:
    machine = Machine()
    listed_gpus = list_gpus_of_vendor(machine)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not listed_gpus:
        if visible or machine.lines or any(Path(sign).exists() for sign in SIGNS):
            add_gpus_of_torch(machine, visible)
        if not machine.gpus and Path(AMD).exists():
            reason = "nothing here has been tested on ROCm; the run is on the CPU"
            machine.lines.append(f"an AMD GPU is there and not used: {reason}")
        return machine
    if visible is None:
        machine.gpus = [usable for gpu in listed_gpus for usable in gpu.usable]
    else:
        choose_visible(machine, listed_gpus, visible)
    machine.gpus = [with_capability(gpu, machine) for gpu in machine.gpus]
    return machine


def run_nvidia_smi(*arguments: str) -> tuple[str, str]:
    """What nvidia-smi prints, whatever its exit status, and why it printed nothing."""
    try:
        completed = subprocess.run(["nvidia-smi", *arguments], capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        return "", ""
    except (OSError, subprocess.SubprocessError) as error:
        return "", f"nvidia-smi: {error}"
    error_lines = (completed.stderr.strip() or completed.stdout.strip()).splitlines()
    reason = error_lines[-1].strip() if error_lines else f"ended with status {completed.returncode}"
    return completed.stdout, f"nvidia-smi: {reason}"


def list_gpus_of_vendor(machine: Machine) -> list[Gpu]:
    """The GPUs that nvidia-smi lists, in its order, with their slices."""
    text, reason = run_nvidia_smi("--query-gpu=uuid,compute_cap", "--format=csv,noheader")
    capabilities: dict[str, float | None] = {}
    for line in text.splitlines():
        if match := LISTED.match(line):
            capabilities[match["uuid"]] = parse_reading(match["capability"])
        elif line.strip() and "not a valid field" not in line:  # an old driver does not know capabilities
            machine.lines.append(f"nvidia-smi: {line.strip()[:200]} (this GPU is not used)")
    tree, _ = run_nvidia_smi("-L")
    slices_by_gpu: dict[str, list[str]] = {}
    gpu_uuid = ""
    without_capability = not capabilities
    for match in filter(None, map(DEVICE.match, tree.splitlines())):
        if match["uuid"].startswith("MIG-"):
            slices_by_gpu.setdefault(gpu_uuid, []).append(match["uuid"])
        else:
            gpu_uuid = match["uuid"]
            if without_capability:
                capabilities[gpu_uuid] = None
    if not capabilities and reason:
        machine.lines.append(f"{reason} (no GPU is used)")
    gpus = []
    for uuid, capability in capabilities.items():
        slices = tuple(Gpu(name, capability) for name in slices_by_gpu.get(uuid, ()))
        gpus.append(Gpu(uuid, capability, slices))
    return gpus


def parse_reading(text: str) -> float | None:
    """'9.0' as a number; '[N/A]' and the like are None."""
    try:
        return float(text)
    except ValueError:
        return None


def choose_visible(machine: Machine, listed_gpus: list[Gpu], visible: str) -> None:
    """Keep what CUDA_VISIBLE_DEVICES names: places in the list, UUIDs or their beginnings, MIG slices."""
    all_gpus = [*listed_gpus, *(gpu_slice for gpu in listed_gpus for gpu_slice in gpu.slices)]
    for gpu_name in filter(None, map(str.strip, visible.split(","))):
        if gpu_name.isdigit():
            matching_gpus = [listed_gpus[int(gpu_name)]] if int(gpu_name) < len(listed_gpus) else []
        else:
            matching_gpus = [gpu for gpu in all_gpus if gpu.name == gpu_name] or [
                gpu for gpu in all_gpus if gpu_name.startswith(("GPU-", "MIG-")) and gpu.name.startswith(gpu_name)
            ]
        if len(matching_gpus) == 1:
            new_gpu = matching_gpus[0].usable[0]
            if new_gpu not in machine.gpus:
                machine.gpus.append(new_gpu)
        elif gpu_name.startswith("MIG-") and ask_torch(gpu_name)[0]:  # some containers list the whole GPU only
            machine.gpus.append(Gpu(gpu_name, None))
        else:
            complaint = "is the beginning of several" if matching_gpus else "names no GPU that nvidia-smi lists"
            machine.lines.append(f"CUDA_VISIBLE_DEVICES: {gpu_name!r} {complaint}; it is not used")
    if not machine.gpus and not machine.lines:
        machine.lines.append(f"CUDA_VISIBLE_DEVICES={visible!r} hides {len(listed_gpus)} GPU; the run is on the CPU")


def add_gpus_of_torch(machine: Machine, visible: str | None) -> None:
    """Ask torch where nvidia-smi lists nothing, as in some containers."""
    capabilities, reason = ask_torch(visible)
    names = [gpu_name.strip() for gpu_name in visible.split(",")] if visible else []
    if capabilities:
        machine.lines = []
        names += map(str, range(len(names), len(capabilities)))
        machine.gpus = [Gpu(name, capability) for name, capability in zip(names, capabilities)]
    elif reason and not machine.lines:
        sign = next((s for s in SIGNS if Path(s).exists()), visible and f"CUDA_VISIBLE_DEVICES={visible}")
        what_is_seen = f"{sign} speaks for a GPU, but" if sign else "nvidia-smi lists none, and"
        machine.lines.append(f"{what_is_seen} none is used: {reason}")


@lru_cache
def ask_torch(visible: str | None) -> tuple[tuple[float, ...], str]:
    """Capabilities of the GPUs that torch sees in a process of its own, and why there are none."""
    environment = dict(os.environ) | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    command = [sys.executable, "-c", ASK]
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment)
        torch_answer = json.loads(completed.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        return (), f"torch could not be asked ({lines[-1] if lines else type(error).__name__})"
    if torch_answer["hip"]:
        return (), "torch is a build for ROCm, on which nothing here has been tested"
    if not torch_answer["capabilities"]:
        return (), "torch sees none (driver, container or mask)"
    return tuple(torch_answer["capabilities"]), ""


def with_capability(gpu: Gpu, machine: Machine) -> Gpu:
    """A GPU with its capability: where nvidia-smi does not tell, torch does."""
    if gpu.capability is not None:
        return gpu
    capabilities, reason = ask_torch(gpu.name)
    if not capabilities:
        machine.lines.append(f"{gpu.name}: its compute capability is not known ({reason}); taken for one without bf16")
    return Gpu(gpu.name, capabilities[0] if capabilities else None)


def has_bf16(device: str, chosen: tuple[str, ...] = ()) -> bool:
    """Whether bfloat16 is computed in hardware: AVX-512 BF16 or AMX on a CPU, compute capability 8 on all GPUs.

    chosen: the names of the GPUs that are used; nothing for all of them.
    """
    if device == "cuda":
        used_capabilities = [capability for name, capability in find_gpus() if not chosen or name in chosen]
        return bool(used_capabilities) and min(used_capabilities) >= 8
    try:
        flags = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags"))
    except (OSError, StopIteration):
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def count_cores() -> int:
    """The cores that this process may use: those it is bound to, and in a SLURM job no more than were asked for."""
    bound_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    allotted_cores = os.environ.get("SLURM_CPUS_ON_NODE", "")
    return min(bound_cores, int(allotted_cores)) if allotted_cores.isdigit() and int(allotted_cores) else bound_cores


def temporary_folder() -> Path:
    """The folder for temporary files of this machine; raises Usage."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        raise Usage("TMPDIR: no folder for temporary files can be written; set it to one of this machine") from None


def list_slots(uuids: list[str], per_gpu: int) -> list[list[str]]:
    """[[GPU, lock file], ...]: a lock file per slot, in one place for every launcher of this machine."""
    folder = temporary_folder()
    plain_names = {uuid: re.sub(r"[^\w-]", "_", uuid) for uuid in uuids}  # an old name of a slice has slashes
    paths = {uuid: f"{folder}/fer-benchmark-{plain_name}" for uuid, plain_name in plain_names.items()}
    return [[uuid, f"{paths[uuid]}-{k}.lock"] for k in range(per_gpu) for uuid in uuids]
