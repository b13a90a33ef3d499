"""Bad input to every command: one line on stderr, exit 2, nothing written."""

from __future__ import annotations

import io
import os
import pickle

import numpy as np
import onnx
import pytest

from fns_lab import images, models
from fns_lab.cli import BAD_INPUT, GOOD, MISSING, NO
from fns_lab.cli.devices import spelled_out


class RunsCode:
    """Unpickling it writes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture(scope="session")
def bad(tmp_path_factory, checkpoint, fns_file, photo_file):
    """A folder with one bad file of each kind, and good ones beside them."""
    import torch

    folder = tmp_path_factory.mktemp("bad")
    (folder / "text.pth").write_text("weights would be here\n")
    (folder / "text.onnx").write_text("a model would be here\n")
    (folder / "empty.onnx").touch()
    (folder / "empty").mkdir()
    (folder / "text.npz").write_text("arrays would be here\n")
    (folder / "cut.pth").write_bytes(checkpoint.read_bytes()[:5000])
    (folder / "cut.onnx").write_bytes(fns_file.read_bytes()[:5000])
    (folder / "code.pth").write_bytes(pickle.dumps(RunsCode(folder / "it_ran")))
    torch.save({"w": RunsCode(folder / "it_ran")}, folder / "code.model")
    torch.save(torch.nn.Linear(3, 4).state_dict(), folder / "other.pth")
    (folder / "text.png").write_text("an image would be here\n")
    (folder / "cut.png").write_bytes(photo_file.read_bytes()[:5000])
    np.save(folder / "wrong.npy", np.zeros((1, 3, 60, 96), np.float32))
    np.save(folder / "object.npy", np.array([RunsCode(folder / "it_ran")], dtype=object), allow_pickle=True)
    np.savez(folder / "wrong.npz", x=np.zeros((1, 3, 64, 96), np.float32))
    images.save(np.zeros((1, 3, 4, 4), np.float32), folder / "tiny.png")
    (folder / "net.pth").write_bytes(checkpoint.read_bytes())
    (folder / "net.onnx").write_bytes(fns_file.read_bytes())
    (folder / "photo.png").write_bytes(photo_file.read_bytes())
    (folder / "cut.npz").write_bytes(_cut_npz())
    (folder / "eps.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    (folder / "cut.safetensors").write_bytes(b"\x10" + bytes(20))
    (folder / "fault.pth").write_bytes(_with_a_flipped_bit(checkpoint.read_bytes()))
    os.mkfifo(folder / "pipe.onnx")
    return folder


def _cut_npz() -> bytes:
    """An archive whose compressed array is damaged."""
    stream = io.BytesIO()
    np.savez_compressed(stream, input=np.arange(64 * 96 * 3, dtype=np.float32).reshape(1, 3, 64, 96))
    data = bytearray(stream.getvalue())
    data[200:400] = bytes(200)
    return bytes(data)


def _with_a_flipped_bit(data: bytes) -> bytes:
    """A checkpoint with another weight, which torch would load."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


ORT = "--target ort/cpu"
EVAL = "eval --content-image photo.png --output-image OUT.png --model"
EVAL_NET = "eval --model net.pth --output-image OUT.png --content-image"
TRAIN = "train --save-model-dir OUT.dir --max-steps 1 --device cpu"
BAD = {
    "no such checkpoint": ("export none.pth -o OUT.onnx", "none.pth: no such file"),
    "no such model": (f"lower none.onnx {ORT} -o OUT.onnx", "none.onnx: no such file"),
    "no such image": (f"run net.onnx {ORT} --input none.png -o OUT.png", "none.png: no such file"),
    "no such array": (f"run net.onnx {ORT} --input none.npy -o OUT.png", "none.npy: no such file"),
    "no such folder": (f"run net.onnx {ORT} --input photo.png -o none/OUT.png", "no folder none"),
    "no such notebook": ("report none.ipynb", "none.ipynb"),
    "a folder as model": (f"check . {ORT}", "folder"),
    "text as checkpoint": (f"{EVAL} text.pth", "text.pth: a text file"),
    "text as model": (f"check text.onnx {ORT}", "text.onnx: a text file"),
    "text as model in eval": (f"{EVAL} text.onnx", "text.onnx: a text file"),
    "an empty file as model": (f"check empty.onnx {ORT}", "empty.onnx: an empty file"),
    "a truncated checkpoint": (f"{EVAL} cut.pth", "cut.pth: not a whole torch checkpoint"),
    "a truncated model": (f"run cut.onnx {ORT} --input photo.png -o OUT.png", "cut.onnx: not a whole ONNX model"),
    "a pickle that runs code": ("export code.pth -o OUT.onnx", "code.pth: refused because it holds code (io.open)"),
    "a checkpoint that runs code": (f"{EVAL} code.model", "code.model: refused because it holds code (io.open)"),
    "another network's checkpoint": ("export other.pth -o OUT.onnx", "other.pth: a checkpoint of another network"),
    "an unknown target": ("lower net.onnx --target onnxjs-0.1.8/wsm -o OUT.onnx", "did you mean 'onnxjs-0.1.8/wasm'"),
    "an unknown target to export for": ("export net.pth -o OUT.onnx --target ort", "did you mean 'ort/cpu'"),
    "an image that is none": (f"run net.onnx {ORT} --input text.png -o OUT.png", "text.png: not an image"),
    "a truncated image": (f"{EVAL_NET} cut.png", "cut.png: a broken image"),
    "a size the network cannot take": (
        "export net.pth -o OUT.onnx --size 4x64",
        "size 4x64: the network cannot take it",
    ),
    "an image the network cannot take": (f"{EVAL_NET} tiny.png", "4x4 px is too small"),
    "a scale that leaves too little": (f"{EVAL} net.pth --content-scale 200", "px is too small"),
    "a scale below zero": (f"{EVAL} net.pth --content-scale -1", "scale -1"),
    "an array the model cannot take": (
        f"run net.onnx {ORT} --input wrong.npy -o OUT.png",
        "wrong.npy: input 'input' takes shape (1, 3, 64, 96), not (1, 3, 60, 96)",
    ),
    "an array of objects": (f"run net.onnx {ORT} --input object.npy -o OUT.png", "object.npy: not a NumPy array file"),
    "an npz without the input": (
        f"run net.onnx {ORT} --input wrong.npz -o OUT.png",
        "wrong.npz: the model has no input 'x'; its inputs are 'input'",
    ),
    "text as an npz": ("compare net.onnx net.onnx --input text.npz", "text.npz: not an .npz of plain arrays"),
    "a tolerance below zero": (
        "compare net.onnx net.onnx --input photo.png --tolerance -1",
        "--tolerance -1.0: give a fraction",
    ),
    "an input of no numbers to run": (
        f"run net.onnx {ORT} --input 1x3x0x0 -o OUT.npy",
        "--input 1x3x0x0: holds no number; give sizes of at least 1",
    ),
    "an input of no numbers to export with": (
        "-q export torch.nn:Identity --input input=1x3x0 -o OUT.onnx",
        "--input 1x3x0: holds no number; give sizes of at least 1",
    ),
    "no size": ("export net.pth -o OUT.onnx --size big", "--size big: give height x width"),
    "no shape": (f"lower net.onnx {ORT} -o OUT.onnx --shape 1x3", "--shape 1x3: give NAME="),
    "a shape of no input": (f"lower net.onnx {ORT} -o OUT.onnx --shape x=1x3x8x8", "x"),
    "an unknown kind of output": (f"run net.onnx {ORT} --input photo.png -o OUT.txt", "'.txt'"),
    "dynamic for a small runtime": (f"export net.pth -o OUT.onnx --dynamic {ORT}", "leave --dynamic out"),
    "one model twice": (f"bench net.onnx net.onnx {ORT}", "given twice"),
    "a folder without photographs": (f"{TRAIN} --dataset empty --style-image photo.png", "empty: no images in it"),
    "a style that is no image": (f"{TRAIN} --dataset . --style-image text.png", "text.png: not an image"),
    "no checkpoint to go on from": (
        f"{TRAIN} --dataset . --style-image photo.png --style-size 32 --resume none.ckpt",
        "none.ckpt: no such file",
    ),
    "a pipe as model": (f"check pipe.onnx {ORT}", "pipe.onnx: a pipe or a device"),
    "a device as image": (f"{EVAL_NET} /dev/zero", "/dev/zero: a pipe or a device"),
    "a checkpoint with a flipped bit": (f"{EVAL} fault.pth", "fault.pth: damaged: its part"),
    "a damaged npz": (f"run net.onnx {ORT} --input cut.npz -o OUT.png", "cut.npz: not an .npz of plain arrays"),
    "an image of another language": (f"{EVAL_NET} eps.jpg", "eps.jpg: not an image"),
    "a plot of no format": ("compare net.onnx net.onnx --input photo.png --plot OUT.xyz", "unknown suffix '.xyz'"),
    "a model as text": (f"lower net.onnx {ORT} -o OUT.txt", "unknown suffix '.txt'; use .onnx"),
    "an output that is the input": (f"lower net.onnx {ORT} -o net.onnx", "net.onnx: is the input; give another name"),
    "an output that is an input": (f"run net.onnx {ORT} --input photo.png -o photo.png", "photo.png: is an input"),
    "a target to lower for, before the work": (f"{EVAL} net.pth --export_onnx OUT.onnx --target-framework x", "'x'"),
    "an output that is a folder": (f"run net.onnx {ORT} --input photo.png -o .", ".: is a folder"),
    "more pixels than memory holds": ("export net.pth -o OUT.onnx --size 100000x100000", "GiB of memory"),
    "a seed below zero": (f"{TRAIN} --dataset . --style-image photo.png --seed -1", "--seed -1: must be 0 or above"),
    "a width beyond all": (f"{TRAIN} --dataset . --style-image photo.png --num-channels 100000", "limit of 1,024"),
    "a style of few pixels": (f"{TRAIN} --dataset . --style-image tiny.png", "4x4 px is too small for a style image"),
    "broken loss weights": (
        f"{TRAIN} --dataset . --style-image photo.png --style-size 32 --loss-weights cut.safetensors",
        "cut.safetensors: not a whole safetensors file",
    ),
    "no such command": ("chekc", "Did you mean 'check'"),
    "no such option": (f"check net.onnx {ORT} --jsn", "--jsn"),
    "no target": ("check net.onnx", "--target"),
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_is_one_line_and_exit_2(cli, bad, tmp_path, monkeypatch, line):
    command, expected = BAD[line]
    monkeypatch.chdir(bad)
    argv = [str(tmp_path / word) if word.startswith("OUT.") else word for word in command.split()]
    code, out, err = cli(*argv)
    assert (code, out) == (BAD_INPUT, ""), err
    assert err.startswith("fns-lab: ")
    assert err.count("\n") == 1, err
    assert expected in err
    assert not list(tmp_path.iterdir()), "nothing may be written, not even in part"
    assert not (bad / "it_ran").exists(), "a checkpoint's code must never run"


def test_what_is_missing_here_is_exit_3(cli, checkpoint, photo_file, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA, so nothing is missing")
    arguments = ("--model", checkpoint, "--content-image", photo_file, "--output-image", tmp_path / "y.png")
    for device in ("cuda", "cuda:3", "accel"):
        code, out, err = cli("eval", *arguments, "--device", device)
        assert (code, out) == (MISSING, "")
        assert "available here; leave" in err
    code, _, err = cli("eval", *arguments, "--device", "gpu")
    assert (code, err) == (2, "fns-lab: --device gpu: give cpu, cuda, cuda:1, mps, xpu or accel\n")


@pytest.mark.parametrize(
    ("flags", "meant"),
    [("--cuda 0", "cpu"), ("--cuda 1", "cuda"), ("--cuda=1", "cuda"), ("--accel", "accel"), ("--device mps", "mps")],
)
def test_upstream_s_flags_are_values_of_device(flags, meant):
    assert spelled_out(["eval", *flags.split(), "--model", "m"]) == ["eval", "--device", meant, "--model", "m"]


@pytest.mark.parametrize("flags", ["--cuda 2", "--cuda", "--cuda=", "--cuda --model"])
def test_a_wrong_value_of_upstream_s_flag_is_bad_input(cli, flags):
    code, out, err = cli("eval", *flags.split())
    assert (code, out) == (2, "")
    assert err.endswith(": give --device cpu or --device cuda\n")


def test_export_says_that_a_network_counts_its_calls(cli, tmp_path, monkeypatch):
    text = """import torch
class Counter(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
    def forward(self, x):
        self.calls += 1
        return x * self.calls
"""
    (tmp_path / "counting.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    code, _, err = cli("export", "counting:Counter", "--input", "x=1x3", "-o", tmp_path / "counter.onnx")
    assert code == 0
    assert "counting:Counter: each call changes the buffer 'calls', on which the result depends" in err


def test_an_engine_s_refusal_is_one_line_and_exit_1(cli, fns_model, photo_file, tmp_path):
    refused, path = onnx.ModelProto(), tmp_path / "refused.onnx"
    refused.CopyFrom(fns_model)
    refused.graph.node[0].op_type = "NoSuchOp"
    models.save(refused, path)
    code, out, err = cli("run", path, "--target", "ort/cpu", "--input", photo_file, "-o", tmp_path / "y.png")
    assert (code, out) == (NO, "")
    cut, line = err.splitlines()
    assert "scaled and cut to" in cut
    assert line.startswith("fns-lab: ort/cpu")
    assert "NoSuchOp" in line


def test_sizes_that_a_model_cannot_take_are_bad_input(cli, tmp_path):
    text = """<ir_version: 8, opset_import: ["" : 13]>
    padded (float[1, 3, H, W] x) => (float[1, 3, P, Q] y) {
        pads = Constant <value = int64[8] {0, 0, 4, 4, 0, 0, 4, 4}> ()
        y = Pad <mode = "reflect"> (x, pads)
    }"""
    path, out = tmp_path / "pad.onnx", tmp_path / "y.npy"
    models.save(onnx.parser.parse_model(text), path)
    assert cli("run", path, "--target", "ort/cpu", "--input", "x=1x3x9x7", "-o", out)[0] == GOOD
    out.unlink()
    code, _, err = cli("run", path, "--target", "ort/cpu", "--input", "x=1x3x9x3", "-o", out)
    assert (code, err.count("\n")) == (BAD_INPUT, 1)
    assert err.startswith("fns-lab: the model cannot take inputs of these sizes (x 1x3x9x3): Pad reflect: pre-pad (4)")
    assert not out.exists()
    assert cli("compare", path, path, "--input", "x=1x3x9x3")[0] == BAD_INPUT
    assert cli("compare", path, path, "--input", "x=1x3x9x7")[0] == GOOD
    assert cli("bench", path, "--target", "ort/cpu", "--runs", 1, "--input", "x=1x3x9x3")[0] == BAD_INPUT
    assert cli("bench", path, "--target", "ort/cpu", "--runs", 1, "--input", "x=1x3x9x7")[0] == GOOD
