"""Every published form of checkpoint fills the backbone; files that do not, or that are not data, are refused."""

import os
import pickle
import sys
import zipfile
from collections import OrderedDict
from hashlib import sha256

import numpy as np
import pytest
import torch
from golden_files import load

from methods.support.backbones import BACKBONES
from methods.support.weights import load_backbone


def network(name="resnet18", channels=3, seed=0):
    torch.manual_seed(seed)
    return BACKBONES[name](channels)


@pytest.fixture(scope="module")
def trained():
    """The state of a network whose every entry differs from a fresh one, with a classifier as files have it."""
    generator = torch.Generator().manual_seed(7)
    state = network().state_dict()
    for key, value in state.items():
        drawn = torch.rand(value.shape, generator=generator) + 0.5
        state[key] = torch.tensor(9) if key.endswith("num_batches_tracked") else drawn
    return OrderedDict(state, **{"fc.weight": torch.zeros(1000, 512), "fc.bias": torch.zeros(1000)})


def assert_filled(backbone, trained):
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, trained[key]), key


def save_pickle(path, content, protocol=2):
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def test_flat_torch_file(tmp_path, trained):
    path, backbone = tmp_path / "resnet-18.pth", network()
    torch.save({**trained, "criterion.weight": torch.zeros(3)}, path)
    loaded = load_backbone(backbone, path)
    assert_filled(backbone, trained)
    assert loaded.sha256 == sha256(path.read_bytes()).hexdigest()
    assert loaded.filled == len(backbone.state_dict()) == 120
    assert loaded.ignored == ["fc.weight", "fc.bias", "criterion.weight"] and loaded.left_random == []


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
@pytest.mark.parametrize("legacy", [False, True])
def test_nested_torch_file_of_both_formats(tmp_path, trained, wrapper, legacy):
    path, backbone = tmp_path / "resnet18_msceleb.pth", network()
    content = {wrapper: trained, "epoch": 12, "best": 0.5, "arch": "resnet18"}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert zipfile.is_zipfile(path) != legacy
    assert wrapper in load_backbone(backbone, path).container
    assert_filled(backbone, trained)


def test_prefixed_names_with_the_heads_of_scns_file(tmp_path, trained):
    path, backbone = tmp_path / "ijba_res18_naive.pth.tar", network()
    heads = {"module.feature.weight": torch.zeros(256, 512), "module.feature.bias": torch.zeros(256)}
    torch.save({"state_dict": {f"module.{k}": v for k, v in trained.items()} | heads}, path)
    loaded = load_backbone(backbone, path)
    assert_filled(backbone, trained)
    assert loaded.ignored == ["fc.weight", "fc.bias", "feature.weight", "feature.bias"]


def numbered(trained):
    places = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}
    return {f"features.{places[k.split('.')[0]]}.{k.split('.', 1)[1]}": v for k, v in trained.items() if k[:3] != "fc."}


def test_numbered_children(trained):
    backbone = network()
    load_backbone(backbone, numbered(trained))
    assert_filled(backbone, trained)


def test_numbers_that_are_no_resnets_are_not_guessed(trained):
    with pytest.raises(ValueError, match="100 missing"):
        load_backbone(network(), numbered(trained) | {"features.9.weight": torch.zeros(1)})


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickle_of_arrays(tmp_path, trained, protocol):
    arrays = {k: v.numpy() for k, v in trained.items() if not k.endswith("num_batches_tracked")}
    path, backbone = save_pickle(tmp_path / "resnet50_ft_weight.pkl", arrays, protocol), network()
    loaded = load_backbone(backbone, path)
    assert loaded.container == "pickle of arrays" and loaded.filled == 100
    assert loaded.left_random == [k for k in backbone.state_dict() if k.endswith("num_batches_tracked")]
    for key, array in arrays.items():
        if not key.startswith("fc."):
            assert np.array_equal(backbone.state_dict()[key], array)


def test_pickle_as_python_2_wrote_it(tmp_path, trained):
    """There, an array's bytes are a str: opcode BINSTRING, and numpy.core is the name of numpy's core."""
    values = np.arange(64, dtype="<f4")
    dtype = b"cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    data = b"T" + len(values.tobytes()).to_bytes(4, "little") + values.tobytes()
    array = empty + b"(K\x01(K\x40t" + dtype + b"\x89" + data + b"tb"
    rest = {k: v.numpy() for k, v in trained.items() if k != "bn1.bias" and not k.endswith("num_batches_tracked")}
    path = tmp_path / "old.pkl"
    path.write_bytes(pickle.dumps(rest, protocol=2)[:-1] + b"U\x08bn1.bias" + array + b"s.")
    backbone = network()
    load_backbone(backbone, path)
    assert np.array_equal(backbone.bn1.bias.detach(), values)


def test_the_published_names_are_what_is_filled():
    golden = load("lanet_keymap_resnet18")
    source = {str(key) for key in golden["checkpoint_keys"]}
    backbone = network()
    state = backbone.state_dict()
    assert {key for key in source if key.split(".")[0] not in ("fc", "criterion")} == set(state)
    content = {key: state.get(key, torch.zeros(1)) for key in source}
    loaded = load_backbone(backbone, content)
    assert loaded.filled == len(state) and sorted(loaded.ignored) == ["criterion.weight", "fc.bias", "fc.weight"]


def test_a_dictionary_has_a_hash_of_its_content(trained):
    first, again = load_backbone(network(), trained), load_backbone(network(), {"model": trained})
    assert first.sha256 == again.sha256 and len(first.sha256) == 64
    other = load_backbone(network(), trained | {"bn1.bias": trained["bn1.bias"] + 1})
    assert other.sha256 != first.sha256


def test_incomplete_files_are_refused_and_change_nothing(tmp_path, trained):
    path, backbone = tmp_path / "part.pth", network()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    part = {k: v for k, v in trained.items() if not k.startswith("layer3.0.bn1")}
    torch.save(part | {"layer1.0.conv1.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(ValueError, match=r"part\.pth.*4 missing.*layer3\.0\.bn1\.weight.*1 of another shape") as error:
        load_backbone(backbone, path)
    assert "\n" not in str(error.value) and "recipe.backbone" in str(error.value)
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_a_missing_running_statistic_is_refused(trained):
    with pytest.raises(ValueError, match=r"1 missing \(first: bn1\.running_var"):
        load_backbone(network(), {k: v for k, v in trained.items() if k != "bn1.running_var"})


def test_a_deeper_network_is_no_source(trained):
    with pytest.raises(ValueError, match=r"1 of a deeper network \(first: layer1\.2\.conv1\.weight"):
        load_backbone(network(), trained | {"layer1.2.conv1.weight": torch.zeros(64, 64, 3, 3)})


def test_values_that_are_no_numbers_are_refused(trained):
    with pytest.raises(ValueError, match="1 not finite"):
        load_backbone(network(), trained | {"bn1.bias": torch.full((64,), torch.nan)})


@pytest.mark.parametrize("odd", ["sparse", "meta", "complex", "expanded"])
def test_entries_that_are_no_plain_arrays_of_numbers_are_refused(trained, odd):
    weight = trained["conv1.weight"]
    entry = {
        "sparse": lambda: weight.to_sparse(),
        "meta": lambda: weight.to("meta"),
        "complex": lambda: weight.to(torch.complex64),
        "expanded": lambda: torch.zeros(1).expand(10**6, 10**6),
    }[odd]()
    with pytest.raises(ValueError, match=r"no plain array|of another shape \(first: conv1"):
        load_backbone(network(), {**trained, "conv1.weight": entry})


def test_a_negative_variance_is_refused(trained):
    with pytest.raises(ValueError, match="1 negative"):
        load_backbone(network(), {**trained, "bn1.running_var": -trained["bn1.running_var"]})


def test_colour_weights_do_not_fit_a_grey_backbone(trained):
    with pytest.raises(ValueError, match="made for images of 3 channels, the backbone takes 1"):
        load_backbone(network(channels=1), trained)


class Hostile:
    """A pickle that creates a file when it is believed."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", [".pkl", ".pth"])
@pytest.mark.parametrize("container", ["pickle", "torch", "legacy torch"])
def test_hostile_files_are_refused_unexecuted(tmp_path, suffix, container):
    path, trap = tmp_path / f"weights{suffix}", tmp_path / "sprung"
    content = {"conv1.weight": Hostile(trap)}
    if container == "pickle":
        save_pickle(path, content)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=container == "torch")
    with pytest.raises(ValueError, match=r"weights\.p.*cannot be read as plain weights") as error:
        load_backbone(network(), path)
    assert "\n" not in str(error.value)
    assert not trap.exists()
    pickle.loads(path.read_bytes()) if container == "pickle" else torch.load(path, weights_only=False)
    assert trap.exists()  # so the trap was real


@pytest.mark.parametrize(
    "module, name", [("builtins", "eval"), ("os", "system"), ("numpy", "load"), ("numpy", "memmap")]
)
def test_nothing_but_arrays_can_be_named(tmp_path, module, name):
    path = tmp_path / "weights.pkl"
    path.write_bytes(f"c{module}\n{name}\n.".encode())
    with pytest.raises(ValueError, match=rf"asks for {module}\.{name}"):
        load_backbone(network(), path)


@pytest.mark.parametrize(
    "content, complaint",
    [
        (b"", "an empty file"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 46830571\n",
            "a Git LFS pointer.*git lfs pull",
        ),
        (b"\x1f\x8b\x08\0", "an archive"),
        (b"PK\x03\x04" + bytes(100), "not the whole file"),
        (b"nothing known", "a text that begins with 'nothing known'"),
        (b"\x80\x04nothing known", "cannot be read as plain weights"),
        (b"\xef\xbb\xbf<!-- saved from url=(0022) -->", "a web page"),
        (b'{"error": "quota"}', "a text that begins with '{\"error"),
        (bytes(5000), "begins with zeros only"),
        (b"BZh91AY&SY" + bytes(9), "an archive"),
        (b"7z\xbc\xaf\x27\x1c", "an archive"),
        (b"\x93NUMPY\x01\x00", "one numpy array"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"MATLAB 5.0 MAT-file" + bytes(200), "a MATLAB file"),
        (pickle.dumps([1, 2]), "holds a list"),
        (pickle.dumps({"a": 1}), "holds no tensors"),
        (pickle.dumps({"a": np.array([{}], dtype=object)}), "holds no tensors"),
    ],
)
def test_other_files_are_named(tmp_path, content, complaint):
    path = tmp_path / "weights.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"weights\.pkl.*{complaint}"):
        load_backbone(network(), path)


@pytest.mark.parametrize(
    ("members", "complaint"),
    [
        ({"resnet18.pth": b"x"}, "a zip with resnet18.pth in it; unpack it"),
        ({"a/b.jpg": b"x"}, "a zip of other files"),
        ({"conv1.weight.npy": b"x", "bn1.bias.npy": b"x"}, "a zip of numpy arrays"),
        ({"net/code/model.py": b"x", "net/constants.pkl": b"x", "net/data.pkl": b"x"}, "a TorchScript archive"),
        ({"net/archive_format": b"pt2", "net/data/weights/weight_0": b"x"}, "an exported program"),
    ],
)
def test_a_zip_of_something_else_is_said_to_be_that(tmp_path, members, complaint):
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=rf"w\.pth: {complaint}"):
        load_backbone(network(), tmp_path / "w.pth")


def test_a_graph_of_another_program_is_told_by_its_name(tmp_path):
    (tmp_path / "resnet18.onnx").write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x052.1.0" + bytes(90))
    with pytest.raises(ValueError, match="an ONNX graph by its name"):
        load_backbone(network(), tmp_path / "resnet18.onnx")


def test_a_download_with_a_hole_in_it_is_refused_and_one_without_checksums_is_not(tmp_path, trained):
    path = tmp_path / "w.pth"
    torch.save(trained, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(4096) + whole[len(whole) // 2 + 4096 :])
    assert torch.load(path, weights_only=True)  # torch does not notice
    with pytest.raises(ValueError, match=r"damaged: w/data/\d+ in it does not have its checksum; download it again"):
        load_backbone(network(), path)
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(trained, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert load_backbone(network(), path).filled == 120


def test_a_pickle_of_tensors_is_said_to_be_that(tmp_path, trained):
    with pytest.raises(ValueError, match="a pickle of torch tensors"):
        load_backbone(network(), save_pickle(tmp_path / "w.pkl", trained))


def test_arrays_of_numpy_in_a_torch_file_are_read(tmp_path, trained):
    path, backbone = tmp_path / "w.pth", network()
    torch.save({"state_dict": {k: v.numpy() for k, v in trained.items()}, "confusion": np.eye(7, dtype="i8")}, path)
    load_backbone(backbone, path)
    assert_filled(backbone, trained)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precision_are_taken(trained, dtype):
    backbone = network()
    load_backbone(backbone, {k: v.to(dtype) if v.is_floating_point() else v for k, v in trained.items()})
    assert torch.equal(backbone.bn1.bias.detach(), trained["bn1.bias"].to(dtype).float())


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.float8_e4m3fn])
def test_weights_that_are_whole_numbers_or_of_one_byte_are_refused(trained, dtype):
    with pytest.raises(ValueError, match=f"conv1.weight is no plain array of numbers .{dtype}"):
        load_backbone(network(), trained | {"conv1.weight": trained["conv1.weight"].to(dtype)})


def test_a_layer_of_zeros_is_refused_as_damage(trained):
    with pytest.raises(ValueError, match=r"1 all zero \(first: layer2\.0\.conv1\.weight\): damaged"):
        load_backbone(network(), trained | {"layer2.0.conv1.weight": torch.zeros(128, 64, 3, 3)})


def test_names_of_which_some_have_a_prefix_are_shown(trained):
    mixed = {f"module.{k}" if k.startswith("bn1") else k: v for k, v in trained.items()}
    with pytest.raises(ValueError, match=r"bn1\.weight stands there as module\.bn1\.weight: give all names one prefix"):
        load_backbone(network(), mixed)


def test_the_only_network_of_a_file_is_taken_under_any_name_and_of_two_none(trained):
    backbone = network()
    assert (
        "'shadow'" in load_backbone(backbone, {"shadow": trained, "decay": 0.9, "optimizer": {"state": {}}}).container
    )
    assert_filled(backbone, trained)
    with pytest.raises(ValueError, match=r"holds 2 networks \(student, teacher\)"):
        load_backbone(network(), {"student": trained, "teacher": trained})
    with pytest.raises(ValueError, match="holds no tensors, only: state, param_groups"):
        load_backbone(network(), {"state": {0: 1}, "param_groups": []})


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"none\.pth: there is no such weights file"):
        load_backbone(network(), tmp_path / "none.pth")


def test_half_a_download_is_said_to_be_that(tmp_path, trained):
    path = tmp_path / "w.pth"
    for modern in (True, False):
        torch.save(trained, path, _use_new_zipfile_serialization=modern)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(ValueError, match="not the whole file"):
            load_backbone(network(), path)
    save_pickle(path, {k: v.numpy() for k, v in trained.items()})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="not the whole file"):
        load_backbone(network(), path)


@pytest.mark.parametrize("wrap", [lambda k: f"_orig_mod.{k}", lambda k: f"model.{k}", lambda k: f"module._orig_mod.{k}",
                                  lambda k: f"net.backbone.{k}", lambda k: f"ema_model.module.{k}"])  # fmt: skip
def test_what_wrappers_put_in_front_is_taken_off(tmp_path, trained, wrap):
    path, backbone = tmp_path / "w.ckpt", network()
    torch.save({"state_dict": {wrap(k): v for k, v in trained.items()} | {"loss.weight": torch.zeros(2)}}, path)
    assert load_backbone(backbone, path).ignored[-1] == "loss.weight"
    assert_filled(backbone, trained)


def test_a_network_is_taken_and_not_its_moving_average(trained):
    backbone = network()
    averaged = {f"ema.{k}": torch.zeros_like(v) for k, v in trained.items()}
    load_backbone(backbone, averaged | {f"model.{k}": v for k, v in trained.items()})
    assert_filled(backbone, trained)


def test_two_networks_are_not_guessed(trained):
    both = {f"{who}.{k}": v for who in ("student", "teacher") for k, v in trained.items()}
    with pytest.raises(ValueError, match=r"holds 2 networks \(student\., teacher\.\)"):
        load_backbone(network(), both)


@pytest.mark.parametrize("wrapper", ["model_state_dict", "net", "state_dict_ema"])
def test_other_wrappers_also_in_each_other(tmp_path, trained, wrapper):
    path, backbone = tmp_path / "w.pth", network()
    torch.save({"model": {wrapper: trained}, "best": np.float64(0.9), "epoch": np.int64(3)}, path)
    assert f"model.{wrapper}" in load_backbone(backbone, path).container
    assert_filled(backbone, trained)


def test_a_foreign_object_is_named(tmp_path, trained):
    import argparse

    path = tmp_path / "w.pth"
    torch.save({"state_dict": trained, "args": argparse.Namespace(lr=0.1)}, path)
    with pytest.raises(ValueError, match=r"it asks for argparse\.Namespace") as error:
        load_backbone(network(), path)
    assert "\n" not in str(error.value) and "\x1b" not in str(error.value)


def test_code_in_a_checkpoint_is_named_not_run_and_nobody_is_told_to_run_it(tmp_path, trained):
    class Harm:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path}/harmed",)

    path = tmp_path / "w.pth"
    torch.save({"state_dict": trained, "more": Harm()}, path)
    with pytest.raises(ValueError, match=r"it asks for posix\.system, which is no tensor") as error:
        load_backbone(network(), path)
    assert "weights_only" not in str(error.value) and not (tmp_path / "harmed").exists()


def test_safetensors(tmp_path, trained, monkeypatch):
    safetensors = pytest.importorskip("safetensors.torch")
    path, backbone = tmp_path / "w.pth", network()
    safetensors.save_file({f"model.{k}": v.contiguous() for k, v in trained.items()}, path)
    assert load_backbone(backbone, path).container == "safetensors"
    assert_filled(backbone, trained)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="not the whole file"):
        load_backbone(network(), path)
    path.write_bytes(whole)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ValueError, match=r"a safetensors file; install what reads it: pip install safetensors"):
        load_backbone(network(), path)
