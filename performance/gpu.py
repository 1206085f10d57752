"""Everything that only a GPU can tell, in one command of under ten minutes: `python -m performance.gpu --out FOLDER`.

Writes gpu.json and gpu.md into the folder: the card's measured peaks, every method's step at 224 px against a plain
loop, fp32 and bf16, deterministic and not, the published batch and a larger one, 1, 2 and 4 processes on the card,
the augmentation's share of a step, and whether anything in a step waits for the device.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from performance import steps

METHODS = list(steps.NAMES)


def peaks() -> dict[str, float]:
    """TFLOP/s of a bf16 matrix product and GB/s of a copy, measured."""
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    block = torch.empty(2**30, dtype=torch.uint8, device="cuda")
    return {
        "bf16_tflops": 2 * 8192**3 / seconds(lambda: a @ a) / 1e12,
        "copy_gb_per_s": 2 * block.nbytes / seconds(lambda: block.clone()) / 1e9,
    }


def seconds(run: Any, repeats: int = 10) -> float:
    for _ in range(3):
        run()
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


def step_rows(precision: str, fast: bool, batch: int) -> list[dict[str, Any]]:
    """Every method's step under one setting; batch 0 is the published one."""
    torch.use_deterministic_algorithms(not fast)
    torch.backends.cudnn.benchmark = fast
    options = ["--device", "cuda", "--side", "224", "--precision", precision, "--batch", str(batch)]
    rows = steps.main([*options, "--steps", "20", "--repeats", "3", "--methods", *METHODS])
    return [row | {"precision": precision, "deterministic": not fast} for row in rows]


def waiting(name: str) -> str:
    """'nothing waits' if three steps run with synchronisation forbidden, else the error."""
    side = steps.make(name, "resnet18", 224, "cuda", "bf16", False, None)
    pixels = torch.randint(0, 256, (steps.IMAGES, 100, 100, 3), dtype=torch.uint8, device="cuda")
    points = torch.rand(steps.IMAGES, 19, 2, device="cuda")
    steps.run_steps(side, pixels, points, 224, 2, [])
    torch.cuda.set_sync_debug_mode("error")
    try:
        steps.run_steps(side, pixels, points, 224, 3, [])
        return "nothing waits"
    except RuntimeError as error:
        return str(error).splitlines()[0]
    finally:
        torch.cuda.set_sync_debug_mode("default")


def together(count: int) -> float:
    """Baseline images/s in total with `count` processes on the card at once."""
    command = [sys.executable, "-m", "performance.steps", "--device", "cuda", "--side", "224", "--precision", "bf16"]
    command += ["--batch", "0", "--steps", "60", "--repeats", "1", "--methods", "baseline"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    texts = [process.communicate()[0] for process in running]
    return sum(float(text.split(" images/s")[0].split()[-1]) for text in texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    if not torch.cuda.is_available():
        sys.exit("performance.gpu: torch sees no CUDA device; run it where nvidia-smi lists one")
    out.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}

    def keep(**parts: Any) -> None:
        found.update(parts)
        (out / "gpu.json").write_text(json.dumps(found, indent=1))

    keep(peaks=peaks())
    rows: list[dict[str, Any]] = []
    for precision, fast, batch in (("bf16", False, 0), ("bf16", True, 0), ("bf16", True, 256), ("fp32", False, 0)):
        rows += step_rows(precision, fast, batch)
        keep(steps=rows)
    torch.use_deterministic_algorithms(False)
    keep(waiting={name: waiting(name) for name in METHODS})
    keep(jobs_on_one_card={count: together(count) for count in (1, 2, 4)})
    lines = [f"{found['device']}, torch {found['torch']}; peaks {found['peaks']}", ""]
    lines += [
        "| method | batch | precision | deterministic | images/s | plain | ratio | peak GiB |",
        "|" + " --- |" * 8,
    ]
    lines += [
        f"| {r['method']} | {r['batch']} | {r['precision']} | {r['deterministic']} | {r['images_per_second']:.0f} "
        f"| {r['plain_images_per_second']:.0f} | {r['ratio']:.2f} | {r['peak_gib']:.1f} |"
        for r in rows
    ]
    lines += ["", f"waiting: {found['waiting']}", "", f"jobs on one card, images/s: {found['jobs_on_one_card']}"]
    (out / "gpu.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
