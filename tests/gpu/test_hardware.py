"""Odd GPU machines, with a stand-in for nvidia-smi: each ends in the right GPUs or in one clear line."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_records import small_record

from benchmark import hardware
from benchmark.commands import arguments
from benchmark.commands.options import parser
from benchmark.terminal import Usage
from results.files import write_bytes
from results.job import Job
from results.store import Store

A, B, C = (f"GPU-{c * 8}-2222-3333-4444-555555555555" for c in "abc")
SLICE, OTHER = "MIG-feee0c61-26ec-5616-bb59-b6d777cc4f34", "MIG-0aee0c61-26ec-5616-bb59-b6d777cc4f34"
NAMED = {"a": A, "b": B, "c": C}
TREE = "".join(f"GPU {i}: NVIDIA H100 (UUID: {uuid})\n" for i, uuid in enumerate((A, B, C)))
CUT = f"GPU 0: H100 (UUID: {A})\n  MIG 1g.10gb Device 0: (UUID: {SLICE})\n  MIG 1g.10gb Device 1: (UUID: {OTHER})\n"
Machine = Callable[..., None]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Sets up a machine: what nvidia-smi prints and ends with, what torch in a child says, what is visible."""

    def set_up(query: str | None, tree: str = "", status: int = 0, visible: str | None = None, torch: str = "") -> None:
        if query is not None:
            (tmp_path / "query").write_text(query)
            (tmp_path / "tree").write_text(tree)
            program = tmp_path / "nvidia-smi"
            answers = f"*query*) cat {tmp_path}/query;; *) cat {tmp_path}/tree;;"
            program.write_text(f'#!/bin/sh\ncase "$*" in {answers} esac\nexit {status}\n')
            program.chmod(0o755)
        package = tmp_path / "stand_in"
        package.mkdir()
        (package / "torch.py").write_text(torch or "raise ImportError('no torch here')\n")
        others = [] if query is None else ["/usr/bin", "/bin"]  # on a GPU machine a real nvidia-smi lies there
        monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), *others]))
        monkeypatch.setenv("PYTHONPATH", str(package))
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    monkeypatch.setattr(hardware, "SIGNS", ())
    hardware.read_machine.cache_clear()
    hardware.ask_torch.cache_clear()
    yield set_up
    hardware.read_machine.cache_clear()
    hardware.ask_torch.cache_clear()


def torch_with(capabilities: str, hip: str = "None") -> str:
    return (
        "class version:\n    hip = " + hip + "\nclass cuda:\n    found = " + capabilities + "\n"
        "    is_available = classmethod(lambda cls: bool(cls.found))\n"
        "    device_count = classmethod(lambda cls: len(cls.found))\n"
        "    get_device_capability = classmethod(lambda cls, i: cls.found[i])\n"
    )


def listed(*names: str, capability: str = "9.0") -> str:
    return "".join(f"{NAMED[name]}, {capability}\n" for name in names)


@pytest.mark.parametrize(
    ("visible", "used"),
    [
        (None, [A, B, C]),
        ("2,0", [C, A]),
        (f"0,{C}", [A, C]),
        ("GPU-bbbb", [B]),
        (f"1,GPU-aaaa,{B}", [B, A]),
        ("0,GPU-dddd", [A]),
    ],
)
def test_what_is_visible_in_every_form(machine: Machine, visible: str | None, used: list[str]) -> None:
    machine(listed("a", "b", "c"), TREE, visible=visible)
    assert [name for name, _ in hardware.find_gpus()] == used
    assert [line for line in hardware.list_unused() if "GPU-dddd" in line] == hardware.list_unused()
    assert bool(hardware.list_unused()) == (visible == "0,GPU-dddd")


def test_a_broken_neighbour_hides_no_gpu_and_is_named(machine: Machine) -> None:
    lost = "Unable to determine the device handle for GPU 0000:03:00.0: Unknown Error\n"
    machine(listed("a") + lost + listed("c"), TREE, status=15)
    assert hardware.find_gpus() == [(A, 9.0), (C, 9.0)]
    assert len(hardware.list_unused()) == 1 and "0000:03:00.0" in hardware.list_unused()[0]


def test_a_warning_between_the_lines_hides_no_gpu(machine: Machine) -> None:
    machine("WARNING: infoROM is corrupted at gpu 0000:00:1E.0\n" + listed("a"), TREE)
    assert hardware.find_gpus() == [(A, 9.0)]


def test_slices_are_gpus_and_their_whole_is_none(machine: Machine) -> None:
    machine(listed("a", "b"), CUT + f"GPU 1: H100 (UUID: {B})\n")
    assert hardware.find_gpus() == [(SLICE, 9.0), (OTHER, 9.0), (B, 9.0)]
    assert hardware.list_unused() == []


@pytest.mark.parametrize("visible", [SLICE, SLICE[:12], "0"])
def test_a_slice_that_a_cluster_hands_out(machine: Machine, visible: str) -> None:
    machine(listed("a"), CUT, visible=visible)
    assert hardware.find_gpus() == [(SLICE, 9.0)] and hardware.has_bf16("cuda")


def test_a_slice_that_only_torch_knows(machine: Machine) -> None:
    machine(listed("a"), f"GPU 0: H100 (UUID: {A})\n", visible=SLICE, torch=torch_with("[(8, 0)]"))
    assert hardware.find_gpus() == [(SLICE, 8.0)]


def test_a_capability_that_nvidia_smi_does_not_tell_comes_from_torch(machine: Machine) -> None:
    machine(listed("a", capability="[N/A]"), TREE, torch=torch_with("[(7, 5)]"))
    assert hardware.find_gpus() == [(A, 7.5)] and not hardware.has_bf16("cuda")


def test_an_old_driver_that_knows_no_capabilities(machine: Machine) -> None:
    machine('Field "compute_cap" is not a valid field to query.\n', TREE, status=2, torch=torch_with("[(8, 6)]"))
    assert hardware.find_gpus() == [(A, 8.6), (B, 8.6), (C, 8.6)]


def test_torch_is_asked_where_nvidia_smi_is_not_there(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(None, torch=torch_with("[(9, 0), (9, 0)]"))
    monkeypatch.setattr(hardware, "SIGNS", (__file__,))
    assert hardware.find_gpus() == [("0", 9.0), ("1", 9.0)] and hardware.list_unused() == []


def test_a_machine_without_any_sign_of_a_gpu_asks_nobody(machine: Machine) -> None:
    machine(None, torch="import pathlib\npathlib.Path(__file__).with_name('asked').touch()\n")
    assert hardware.find_gpus() == [] and hardware.list_unused() == []
    assert not (Path(os.environ["PYTHONPATH"]) / "asked").exists()


@pytest.mark.parametrize(
    ("query", "status", "visible", "torch", "words"),
    [
        ("", 9, None, torch_with("[]"), "nvidia-smi"),
        (None, 0, "0", torch_with("[]"), "torch sees none"),
        (None, 0, "0", torch_with("[(9, 0)]", hip="'6.2'"), "ROCm"),
        (listed("a"), 0, "", "", "hides 1 GPU"),
    ],
)
def test_a_gpu_that_is_not_used_is_said_in_a_line(
    machine: Machine, query, status, visible, torch, words, capsys
) -> None:
    machine(query, "", status, visible, torch)
    args = parser().parse_args(["--table", "1"])
    assert arguments.choose_device(args) == "cpu"
    assert len([line for line in capsys.readouterr().err.splitlines() if words in line]) == 1


def test_cuda_that_was_asked_for_and_is_not_there_is_refused_with_the_reason(machine: Machine) -> None:
    machine(None, torch=torch_with("[]"))
    with pytest.raises(Usage, match=r"no GPU can be used: nvidia-smi lists none.*torch sees none"):
        arguments.choose_device(parser().parse_args(["--table", "1", "--devices", "cuda"]))
    with pytest.raises(Usage, match="Apple"):
        arguments.choose_device(parser().parse_args(["--table", "1", "--devices", "mps"]))


def test_what_auto_comes_to_on_a_t4_is_said(machine: Machine, capsys) -> None:
    machine(listed("a", capability="7.5") + listed("b"), TREE)
    assert arguments.choose_precision("auto", "cuda") == "fp32" and "no bf16" in capsys.readouterr().err
    assert arguments.choose_precision("auto", "cuda", (B,)) == "bf16" and capsys.readouterr().err == ""


def test_bf16_that_a_processor_can_only_emulate_is_said(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.setattr(hardware, "has_bf16", lambda *_: False)
    assert arguments.choose_precision("auto", "cpu") == "fp32" and capsys.readouterr().err == ""
    assert arguments.choose_precision("bf16", "cpu", (), [tmp_path]) == "bf16" and capsys.readouterr().err == ""
    assert arguments.choose_precision("bf16", "cpu") == "bf16" and "ten times" in capsys.readouterr().err


@pytest.mark.parametrize("has_bf16", [False, True])
@pytest.mark.parametrize("most", ["fp32", "bf16"])
def test_records_of_two_precisions_are_drawn_alike_on_all_machines(
    monkeypatch, tmp_path: Path, most: str, has_bf16: bool
) -> None:
    """Those of most records, however the folder is sorted; where they were trained, those that training takes."""
    monkeypatch.setattr(hardware, "has_bf16", lambda *_: has_bf16)
    store = Store(tmp_path)
    for seed in range(5):
        precision = most if seed < 3 else {"fp32": "bf16", "bf16": "fp32"}[most]
        data = {"name": "b", "fingerprint": "c", "landmarks": None}
        noise, scale = {"kind": "none", "rate": None, "version": 1}, {"name": "demo", "version": 1}
        job = Job("a", 1, data, noise, seed, precision, "comparison", scale, "random")
        store.write(small_record(job), {})
    write_bytes(tmp_path / "data" / "faces-0" / "card.json", b"{}")
    assert arguments.choose_precision("auto", "cpu", (), [tmp_path]) == most
    write_bytes(tmp_path / "data" / "faces-0" / "train_images.npy", b"")
    assert arguments.choose_precision("auto", "cpu", (), [tmp_path]) == ("bf16" if has_bf16 else "fp32")


def test_slots_of_a_slice_with_an_old_name_are_files(tmp_path: Path) -> None:
    (slot,) = hardware.list_slots([f"MIG-{A}/7/0"], 1)
    assert slot[0] == f"MIG-{A}/7/0" and Path(slot[1]).parent.is_dir()
