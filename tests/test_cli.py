"""Every command on real input, and its one-line message for bad input."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys

import numpy as np
import onnx
import pytest

from fns_lab import images, models
from fns_lab.cli import BAD_INPUT, COMMANDS, GOOD, INTERRUPTED, MISSING, NO, PIPE_CLOSED, main
from fns_lab.compare import IMAGE_SAME_ENGINE

TARGET = "onnxjs-0.1.3/webgl"


@pytest.fixture
def cli(capsys):
    """Run a command in this process: exit code, stdout, stderr."""

    def run(*argv):
        code = main([str(arg) for arg in argv])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="session")
def lowered_file(fns_file, tmp_path_factory):
    """`fns_file` lowered for ONNX.js 0.1.3 webgl, by the command."""
    path = tmp_path_factory.mktemp("lowered") / "lowered.onnx"
    assert main(["lower", str(fns_file), "--target", TARGET, "-o", str(path)]) == GOOD
    return path


@pytest.fixture(scope="module")
def dynamic_file(checkpoint, tmp_path_factory):
    """The network exported by the command with height and width left open."""
    path = tmp_path_factory.mktemp("dynamic") / "dynamic.onnx"
    assert main(["export", str(checkpoint), "-o", str(path), "--dynamic"]) == GOOD
    return path


def python(*argv, **options):
    return subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=60, **options)


# The program itself


def test_help_loads_nothing_heavy():
    heavy = ("torch", "onnxruntime", "onnx", "numpy", "pandas", "PIL", "playwright", "matplotlib", "netron", "IPython")
    script = f"""import sys; from fns_lab.cli import main
assert main(["--help"]) == 0
sys.exit([name for name in {heavy} if name in sys.modules] or 0)"""
    result = python("-c", script)
    assert result.returncode == 0, f"loaded: {result.stderr}"
    assert "python -m" not in result.stdout
    assert "doctor" in result.stdout


def test_import_loads_nothing_heavy():
    result = python("-c", "import fns_lab, sys; sys.exit({'torch', 'onnxruntime'} & set(sys.modules) or 0)")
    assert result.returncode == 0, result.stderr


def test_no_command_shows_the_commands(cli):
    code, out, err = cli()
    assert (code, err) == (GOOD, "")
    assert all(f"\n  {command.__name__} " in out for command in COMMANDS)


@pytest.mark.parametrize("command", [command.__name__ for command in COMMANDS])
def test_help_of_every_command_has_an_example(cli, command):
    code, out, err = cli(command, "--help")
    assert (code, err) == (GOOD, "")
    assert f"Examples:\n    fns-lab {command}" in out


def test_module_is_the_same_program():
    result = python("-m", "fns_lab", "check", "nothing.onnx", "--target", "ort/cpu")
    assert result.returncode == BAD_INPUT
    assert result.stderr == "fns-lab: nothing.onnx: no such file\n"
    assert result.stdout == ""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGPIPE")
def test_closed_pipe_ends_quietly(fns_file):
    command = [sys.executable, "-m", "fns_lab", "check", str(fns_file), "--target", "ort/cpu", "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert result.returncode == PIPE_CLOSED
    assert result.stderr == ""


def test_interrupt_ends_quietly(fns_file):
    process = subprocess.Popen(
        [sys.executable, "-m", "fns_lab", "view", str(fns_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"BROWSER": "true"},
    )
    assert process.stdout.readline().startswith("http://")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED
    assert "Traceback" not in err


# Commands on real input


def test_export_for_a_target_is_what_check_wants(cli, checkpoint, tmp_path):
    path = tmp_path / "net.onnx"
    code, out, _ = cli("export", checkpoint, "-o", path, "--size", "32x48", "--target", TARGET)
    assert code == GOOD
    assert f"{path}: " in out
    assert models.input_shapes(models.load(path))["input"] == (1, 3, 32, 48)
    assert cli("check", path, "--target", TARGET)[0] == GOOD


def test_check_says_no_and_why(cli, fns_file):
    code, out, err = cli("check", fns_file, "--target", TARGET, "--json")
    assert (code, err) == (NO, "")
    answer = json.loads(out)
    assert list(answer) == ["target", "supported", "ops"]
    assert (answer["target"], answer["supported"]) == (TARGET, False)
    assert all(list(row) == ["op", "opset", "count", "supported", "reason"] for row in answer["ops"])
    unsupported = {row["op"]: row["reason"] for row in answer["ops"] if not row["supported"]}
    assert "no InstanceNormalization" in unsupported["InstanceNormalization"]


def test_check_says_yes(cli, fns_file):
    code, out, _ = cli("check", fns_file, "--target", "ort/cpu")
    assert code == GOOD
    assert "InstanceNormalization" in out


def test_lower_prints_what_it_did(cli, fns_file, tmp_path):
    path = tmp_path / "lowered.onnx"
    code, out, err = cli("lower", fns_file, "--target", TARGET, "-o", path, "--json")
    assert (code, err) == (GOOD, "")
    answer = json.loads(out)
    assert list(answer) == ["target", "nodes_before", "nodes_after", "applied", "refused", "supported"]
    assert answer["supported"] is True
    assert answer["nodes_after"] == sum(models.count_ops(models.load(path)).values())
    assert {row["fidelity"] for row in answer["applied"]} <= {"exact", "rounding"}


def test_lower_writes_nothing_that_the_target_does_not_support(cli, dynamic_file, tmp_path):
    path = tmp_path / "lowered.onnx"
    code, out, _ = cli("lower", dynamic_file, "--target", TARGET, "-o", path)
    assert code == NO
    assert "--shape" in out
    assert out.endswith("nothing written\n")
    assert not any(tmp_path.iterdir())


def test_lower_fixes_the_shape_of_a_dynamic_input(cli, dynamic_file, tmp_path):
    fixed = tmp_path / "fixed.onnx"
    assert cli("lower", dynamic_file, "--target", TARGET, "-o", fixed, "--shape", "input=1x3x32x48")[0] == GOOD
    assert models.input_shapes(models.load(fixed))["input"] == (1, 3, 32, 48)


def test_run_takes_images_and_arrays_to_the_same_result(cli, fns_file, photo, photo_file, tmp_path):
    array, arrays = tmp_path / "x.npy", tmp_path / "x.npz"
    np.save(array, photo)
    np.savez(arrays, input=photo)
    outputs = {}
    for source in (photo_file, array, arrays):
        out_file = tmp_path / f"{source.suffix[1:]}.npy"
        code, out, err = cli("run", fns_file, "--target", "ort/cpu", "--input", source, "-o", out_file, "--json")
        assert (code, err) == (GOOD, "")
        answer = json.loads(out)
        assert list(answer) == ["target", "outputs", "ms"]
        assert answer["outputs"] == [{"name": "output", "shape": list(photo.shape), "path": str(out_file)}]
        assert answer["ms"] > 0
        outputs[source.suffix] = np.load(out_file)
    assert np.array_equal(outputs[".png"], outputs[".npy"])
    assert np.array_equal(outputs[".npz"], outputs[".npy"])


def test_run_writes_every_output_into_an_npz(cli, fns_model, photo_file, tmp_path):
    opened, out_file = tmp_path / "opened.onnx", tmp_path / "all.npz"
    models.save(models.with_outputs(fns_model), opened)
    assert cli("run", opened, "--target", "ort/cpu", "--input", photo_file, "-o", out_file)[0] == GOOD
    with np.load(out_file) as arrays:
        assert len(arrays.files) > 40
        assert arrays["output"].shape == (1, 3, 64, 96)


@pytest.mark.browser
def test_run_in_a_browser_engine_gives_ort_s_image(cli, lowered_file, photo_file, tmp_path):
    outputs = []
    for target in ("ort/cpu", "onnxjs-0.1.8/wasm"):
        out_file = tmp_path / f"{len(outputs)}.png"
        assert cli("run", lowered_file, "--target", target, "--input", photo_file, "-o", out_file)[0] == GOOD
        outputs.append(images.load(out_file))
    assert np.abs(outputs[0] - outputs[1]).max() <= 1, "of 0..255, both rounded to 8 bits"


def test_compare_of_regular_and_lowered_is_equal(cli, fns_file, lowered_file, photo_file):
    code, out, err = cli("compare", fns_file, lowered_file, "--input", photo_file, "--json")
    assert (code, err) == (GOOD, "")
    answer = json.loads(out)
    assert list(answer) == [
        "equal",
        "compared",
        "skipped",
        "first_divergence",
        "ops",
        "introduced",
        "changed_by_instrumentation",
    ]
    assert (answer["equal"], answer["first_divergence"]) == (True, None)
    keys = ["value", "op", "max_abs", "mean_abs", "p99_abs", "psnr_db", "rule"]
    assert all(list(row)[: len(keys)] == keys for row in answer["ops"])
    assert answer["ops"][-1]["value"] == "output"
    assert answer["ops"][-1]["max_abs"] <= IMAGE_SAME_ENGINE.floor


def test_compare_names_where_a_planted_fault_begins(cli, fns_model, fns_file, photo_file, tmp_path):
    broken, path = onnx.ModelProto(), tmp_path / "broken.onnx"
    broken.CopyFrom(fns_model)
    faulty = [node for node in broken.graph.node if node.op_type == "InstanceNormalization"][3]
    faulty.attribute[0].f = 10.0
    models.save(broken, path)
    code, out, _ = cli("compare", fns_file, path, "--input", photo_file, "--json")
    assert code == NO
    assert json.loads(out)["first_divergence"] == faulty.output[0]
    assert cli("compare", fns_file, path, "--input", photo_file, "--tolerance", "100")[0] == GOOD


@pytest.mark.browser
@pytest.mark.parametrize(("target", "page"), [("onnxjs-0.1.8/webgl", True), ("ort/cpu", False)])
def test_compare_reduces_a_fault_to_a_model_that_shows_it_again(cli, tmp_path, target, page):
    from tests.runtimes.graphs import graph, image, node

    x = image(1, 3, 6, 10)
    nodes = [node("Abs", "x", "p"), node("Reshape", "p shape", "flat"), node("ReduceMean", "flat", "mean", axes=[3]),
             node("Sub", "p mean", "out"), node("Neg", "out", "y")]  # fmt: skip
    a, b, inputs = (tmp_path / name for name in ("a.onnx", "b.onnx", "x.npy"))
    models.save(graph(nodes, {"x": x}, {"shape": np.array([1, 3, 1, 60])}, outputs={"y": x.shape}), a)
    nodes[3] = nodes[3] if page else node("Add", "p mean", "out")
    models.save(graph(nodes, {"x": x}, {"shape": np.array([1, 3, 1, 60])}, outputs={"y": x.shape}), b)
    np.save(inputs, x)
    fault = tmp_path / "fault.onnx"
    common = ("--target-b", target, "--bisect", "--plot", tmp_path / "error.png")
    assert cli("compare", a, b, "--input", inputs, *common, "--reduce", fault)[0] == NO
    assert len(models.load(fault).graph.node) == (2 if page else 1)
    assert (tmp_path / "fault.html").exists() == page
    assert (tmp_path / "error.png").read_bytes().startswith(b"\x89PNG")
    if page:
        code, out, _ = cli("compare", fault, fault, "--input", tmp_path / "fault.npz", "--target-b", target, "--json")
        assert (code, json.loads(out)["first_divergence"]) == (NO, "out")


def test_bench_gives_the_ratio_to_the_first_model(cli, fns_file, lowered_file):
    code, out, _ = cli("bench", fns_file, lowered_file, "--target", "ort/cpu", "--runs", 3, "--warmup", 1, "--json")
    assert code == GOOD
    rows = json.loads(out)["rows"]
    assert [row["model"] for row in rows] == ["fns", "lowered"]
    keys = {"model", "target", "ms_median", "ms_p10", "ms_p90", "runs", "ratio"}
    assert all(keys <= row.keys() for row in rows)
    assert rows[0]["ratio"] == 1
    assert rows[1]["ratio"] == pytest.approx(rows[1]["ms_median"] / rows[0]["ms_median"], rel=0.01)


def test_tune_writes_the_fastest_right_alternatives(cli, tmp_path):
    from tests.small_network import regular

    source, out = models.save(regular(), tmp_path / "small.onnx"), tmp_path / "tuned.onnx"
    code, text, _ = cli("tune", source, "--target", "ort/cpu", "-o", out, "--runs", "1", "--json")
    assert code == GOOD
    answer = json.loads(text)
    assert answer["supported"] and answer["right"]
    assert {row["alternative"] for row in answer["tried"]} >= {"keep", "instance-norm-reduce"}
    assert len(models.load(out).graph.node) == answer["nodes_after"]


def test_eval_of_a_checkpoint_is_eval_of_its_export(cli, checkpoint, dynamic_file, photo_file, tmp_path):
    from_net, from_onnx = tmp_path / "net.png", tmp_path / "onnx.png"
    arguments = ("--content-image", photo_file, "--content-scale", 5, "--output-image")
    assert cli("eval", "--model", checkpoint, *arguments, from_net)[0] == GOOD
    assert cli("eval", "--model", dynamic_file, *arguments, from_onnx)[0] == GOOD
    x, y = images.load(from_net), images.load(from_onnx)
    assert x.shape == (1, 3, 102, 102), "512 / 5, which is no multiple of 4"
    assert np.abs(x - y).max() <= 1, "of 0..255, both rounded to 8 bits"
    assert x.std() > 10


def test_eval_exports_at_the_image_s_size(cli, checkpoint, photo_file, tmp_path):
    model = tmp_path / "net.onnx"
    code, *_ = cli(
        *("eval", "--model", checkpoint, "--content-image", photo_file, "--content-scale", 8),
        *("--output-image", tmp_path / "y.png", "--export_onnx", model, "--target-framework", TARGET),
    )
    assert code == GOOD
    assert models.input_shapes(models.load(model))["input"] == (1, 3, 64, 64)
    assert cli("check", model, "--target", TARGET)[0] == GOOD


def test_train_resumes_and_ends_in_a_checkpoint_that_eval_takes(cli, photo_file, tmp_path):
    arguments = (
        *("train", "--dataset", photo_file.parent, "--style-image", photo_file, "--save-model-dir", tmp_path / "out"),
        *("--checkpoint-model-dir", tmp_path / "way", "--checkpoint-interval", 1, "--batch-size", 1),
        *("--image-size", 32, "--style-size", 32, "--num-channels", 2, "--cuda", 0),
    )
    assert cli(*arguments, "--max-steps", 1)[0] == GOOD
    code, out, err = cli(*arguments, "--max-steps", 2, "--resume", tmp_path / "way")
    assert code == GOOD
    assert "step 1" in err
    path = out.splitlines()[-1]
    checkpoints = ["step_0000001.ckpt", "step_0000002.ckpt"]
    assert sorted(p.name for p in (tmp_path / "way").iterdir()) == ["losses.csv", "losses.png", *checkpoints]
    y = tmp_path / "y.png"
    assert cli("eval", "--model", path, "--content-image", photo_file, "--output-image", y)[0] == GOOD


@pytest.mark.browser
def test_view_writes_an_image(cli, fns_file, tmp_path):
    path = tmp_path / "graph.svg"
    assert cli("view", fns_file, "--svg", path)[0] == GOOD
    assert "InstanceNormalization" in path.read_text()


def test_doctor_names_a_fix_for_whatever_is_missing(cli):
    code, out, _ = cli("doctor", "--json")
    findings = json.loads(out)["findings"]
    assert code == (GOOD if all(finding["ok"] for finding in findings) else MISSING)
    assert len(findings) >= 5
    assert all(finding["fix"] for finding in findings if not finding["ok"])


# Bad input: one line on stderr, exit 2, nothing written


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
    return folder


ORT = "--target ort/cpu"
EVAL = "eval --content-image photo.png --output-image OUT.png --model"
TRAIN = "train --save-model-dir OUT.dir --max-steps 1 --cuda 0"
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
    "a truncated image": (f"{EVAL} net.pth --content-image cut.png", "cut.png: a broken image"),
    "a size the network cannot take": (
        "export net.pth -o OUT.onnx --size 4x64",
        "size 4x64: the network cannot take it",
    ),
    "an image the network cannot take": (f"{EVAL} net.pth --content-image tiny.png", "4x4 px is too small"),
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
    code, out, err = cli("eval", *arguments, "--cuda", 1)
    assert (code, out) == (MISSING, "")
    assert err.startswith("fns-lab: CUDA is not available here")


def test_an_engine_s_refusal_is_one_line_and_exit_1(cli, fns_model, photo_file, tmp_path):
    refused, path = onnx.ModelProto(), tmp_path / "refused.onnx"
    refused.CopyFrom(fns_model)
    refused.graph.node[0].op_type = "NoSuchOp"
    models.save(refused, path)
    code, out, err = cli("run", path, "--target", "ort/cpu", "--input", photo_file, "-o", tmp_path / "y.png")
    assert (code, out) == (NO, "")
    assert err.startswith("fns-lab: ort/cpu")
    assert "NoSuchOp" in err
    assert err.count("\n") == 1
