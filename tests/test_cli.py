"""Every command on real input."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil

import numpy as np
import onnx
import pytest

from fns_lab import images, limits, models
from fns_lab.cli import BAD_INPUT, GOOD, MISSING, NO, main
from fns_lab.compare import IMAGE_SAME_ENGINE

TARGET = "onnxjs-0.1.3/webgl"


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
    assert list(answer) == ["target", "supported", "ops", "undefined_values"]
    assert (answer["target"], answer["supported"]) == (TARGET, False)
    assert all(list(row) == ["op", "opset", "count", "supported", "reason"] for row in answer["ops"])
    unsupported = {row["op"]: row["reason"] for row in answer["ops"] if not row["supported"]}
    assert "no InstanceNormalization" in unsupported["InstanceNormalization"]


def test_check_says_yes(cli, fns_file):
    code, out, _ = cli("check", fns_file, "--target", "ort/cpu")
    assert code == GOOD
    assert "InstanceNormalization" in out


def test_check_names_the_values_that_the_engine_leaves_open(cli, fns_file):
    assert (
        "these values: nan, infinite, denormal, beyond float32 (integers from"
        in cli("check", fns_file, "--target", "onnxjs-0.1.8/webgl")[2]
    )
    note = "what InstanceNormalization does with these values: uncentred (normalized together, with a mean"
    assert note in cli("check", fns_file, "--target", "ort-web/webgpu")[2]
    assert "leaves open" not in cli("check", fns_file, "--target", "ort/cpu")[2]
    assert "leaves open" not in cli("check", fns_file, "--target", "onnxjs-0.1.8/wasm")[2]  # of Sign and Softmax alone


def test_lower_prints_what_it_did(cli, fns_file, tmp_path):
    path = tmp_path / "lowered.onnx"
    code, out, err = cli("lower", fns_file, "--target", TARGET, "-o", path, "--json")
    assert (code, err) == (GOOD, "")
    answer = json.loads(out)
    keys = ["target", "nodes_before", "nodes_after", "applied", "refused", "supported", "verified", "verified_reason"]
    assert list(answer) == keys
    assert answer["supported"] is answer["verified"] is True
    assert answer["nodes_after"] == sum(models.count_ops(models.load(path)).values())
    assert {row["fidelity"] for row in answer["applied"]} <= {"exact", "rounding"}


def test_lower_writes_nothing_that_the_target_does_not_support(cli, dynamic_file, tmp_path):
    path = tmp_path / "lowered.onnx"
    code, out, _ = cli("lower", dynamic_file, "--target", TARGET, "-o", path)
    assert code == NO
    assert "--shape" in out
    assert out.endswith("nothing written\n")
    assert not any(tmp_path.iterdir())


def test_lower_says_which_inputs_are_constants_from_now_on(cli, tmp_path):
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Mul", ["x", "factor"], ["y"])],
        "g",
        [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [2]) for name in ("x", "factor")],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])],
        [onnx.numpy_helper.from_array(np.full(2, 3, np.float32), "factor")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    path, lowered = tmp_path / "m.onnx", tmp_path / "l.onnx"
    onnx.save(model, path)
    code, _, err = cli("lower", path, "--target", TARGET, "-o", lowered)
    assert (code, err) == (GOOD, f"inputs with a value in {path} are constants in {lowered}: factor\n")
    np.savez(tmp_path / "both.npz", x=np.ones(2, np.float32), factor=np.ones(2, np.float32))
    code, _, err = cli("run", path, "--target", "ort/cpu", "--input", tmp_path / "both.npz", "-o", tmp_path / "y.npy")
    assert code == BAD_INPUT
    assert "takes no value for input 'factor'" in err


def test_lower_writes_nothing_that_gives_another_result(cli, fns_file, tmp_path, monkeypatch):
    """The lowered model gets the weights of another one, as a rule with a fault might write them."""
    from fns_lab.rewrite import lower

    def lower_wrongly(*arguments, **options):
        right = whole(*arguments, **options)
        wrong = onnx.ModelProto.FromString(right.model.SerializeToString())
        weight = max(wrong.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        weight.raw_data = np.zeros(len(weight.raw_data) // 4, np.float32).tobytes()
        return dataclasses.replace(right, model=wrong)

    whole = lower.lower
    monkeypatch.setattr(lower, "lower", lower_wrongly)
    path = tmp_path / "lowered.onnx"
    arguments = ("lower", fns_file, "--target", TARGET, "-o", path)
    code, out, _ = cli(*arguments)
    assert (code, path.exists()) == (NO, False)
    assert "the result differs from the original: first at" in out
    assert out.endswith("nothing written\n")
    code, out, _ = cli(*arguments, "--no-verify", "--json")
    assert (code, path.exists(), json.loads(out)["verified"]) == (GOOD, True, None)


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
        assert code == GOOD and ("scaled and cut to 64x96" in err) == (source == photo_file)
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
    code, out, _ = cli("compare", fns_file, lowered_file, "--input", photo_file, "--json")
    assert code == GOOD
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


def test_bench_writes_every_run(cli, fns_file, tmp_path):
    path = tmp_path / "runs.csv"
    code, _, _ = cli("bench", fns_file, "--target", "ort/cpu", "--runs", 2, "--warmup", 1, "--csv", path)
    assert code == GOOD
    assert [line.rsplit(",", 1)[0] for line in path.read_text().splitlines()[1:]] == [
        f"ort/cpu,{fns_file.stem},{run},{counted}" for run, counted in ((1, False), (2, True), (3, True))
    ]


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
    assert cli("eval", "--model", checkpoint, *arguments, from_net)[:2] == (GOOD, f"{from_net}: 102x102\n")
    assert cli("eval", "--model", dynamic_file, *arguments, from_onnx)[0] == GOOD
    x, y = images.load(from_net), images.load(from_onnx)
    assert x.shape == (1, 3, 102, 102), "512 / 5, which is no multiple of 4"
    assert np.abs(x - y).max() <= 1, "of 0..255, both rounded to 8 bits"
    assert x.std() > 10


def test_eval_of_a_folder_leaves_what_is_done_and_names_what_is_broken(cli, checkpoint, photo_file, tmp_path):
    photographs, out = tmp_path / "photographs", tmp_path / "out"
    (photographs / "inner").mkdir(parents=True)
    small = images.load(photo_file, size=(20, 24))
    for name in ("a.png", "inner/b.png"):
        images.save(small, photographs / name)
    (photographs / "c.png").write_bytes(b"no image")
    command = ("eval", "--model", checkpoint, "--content-image", photographs, "--output-image", out)
    code, text, err = cli(*command)
    assert (code, text) == (1, f"{out}: 2 written, 0 were done, 1 could not be read or stylized\n")
    assert "skipped: " in err and "c.png: not an image" in err
    written = {path.relative_to(out): path.stat().st_mtime_ns for path in out.rglob("*.png")}
    assert sorted(map(str, written)) == ["a.png", "inner/b.png"]
    (photographs / "c.png").unlink()
    assert cli(*command)[:2] == (GOOD, f"{out}: 0 written, 2 were done, 0 could not be read or stylized\n")
    assert {path.relative_to(out): path.stat().st_mtime_ns for path in out.rglob("*.png")} == written
    assert cli(*command, "--overwrite")[1].startswith(f"{out}: 2 written, 0 were done")
    assert cli(*command[:-1], photographs)[0] == 2, "the photographs would be replaced"


@pytest.mark.parametrize("network", ["checkpoint", "dynamic_file"])
def test_eval_says_how_much_memory_an_image_takes(cli, request, network, photo_file, tmp_path, monkeypatch):
    model = request.getfixturevalue(network)
    monkeypatch.setenv("FNS_LAB_MEMORY_BYTES", "1e7")
    out = tmp_path / "y.png"
    code, _, err = cli("eval", "--model", model, "--content-image", photo_file, "--output-image", out)
    assert code == 2
    assert re.search(r"512x512 px takes about 0.\d GiB of memory, and 0.0 GiB are free; give a --content-scale", err)


def test_eval_shares_images_between_processes(cli, checkpoint, photo_file, tmp_path, monkeypatch):
    photographs, out = tmp_path / "photographs", tmp_path / "out"
    photographs.mkdir()
    for i in range(5):
        images.save(images.load(photo_file, size=(20, 24)), photographs / f"{i}.png")
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank, written in enumerate((3, 2)):
        monkeypatch.setenv("RANK", str(rank))
        command = ("eval", "--model", checkpoint, "--content-image", photographs, "--output-image", out)
        assert cli(*command)[1] == f"{out}: {written} written, 0 were done, 0 could not be read or stylized\n"
    assert len(list(out.iterdir())) == 5


def test_eval_stylizes_in_strips_what_memory_does_not_hold(cli, checkpoint, photo_file, tmp_path, monkeypatch):
    from fns_lab.nets import strips

    whole, in_strips = tmp_path / "whole.png", tmp_path / "strips.png"
    command = ("eval", "--model", checkpoint, "--content-image", photo_file, "--content-scale", 1.3, "--output-image")
    assert cli(*command, whole)[0] == GOOD
    monkeypatch.setattr(strips, "STRIP_BYTES", 2**16)
    monkeypatch.setenv("FNS_LAB_MEMORY_BYTES", str(strips.memory_bytes(394, 394)))
    code, _, err = cli(*command, in_strips)
    assert code == GOOD
    assert "394x394 px: in strips, with 0.0 GiB of temporary files in" in err
    difference = np.abs(images.load(whole) - images.load(in_strips))
    assert difference.max() <= 1, "of 0..255, both rounded to 8 bits"
    assert (difference > 0).mean() < 1e-3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["strips.png", "whole.png"]
    monkeypatch.setattr(limits.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    code, _, err = cli(*command, in_strips)
    assert code == 2
    assert "GiB of temporary files in" in err and "0.0 GiB are free; give a --content-scale" in err


def test_lower_replaces_its_input_only_if_asked(cli, fns_file, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(fns_file.read_bytes())
    command = ("lower", path, "--target", "onnxjs-0.1.8/wasm", "-o", path, "--no-verify")
    assert cli(*command)[0] == 2
    assert path.read_bytes() == fns_file.read_bytes()
    assert cli(*command, "--in-place")[0] == GOOD
    assert path.read_bytes() != fns_file.read_bytes()


def test_the_same_seed_gives_the_same_bytes(net, tmp_path):
    from fns_lab.nets import checkpoints

    a, b = (checkpoints.save(net, tmp_path / name).read_bytes() for name in ("a.pth", "other_name.pth"))
    assert a == b


def test_top_prints_the_rows_that_matter_most(cli, fns_file):
    code, out, _ = cli("check", fns_file, "--target", "onnxjs-0.1.8/webgl", "--top", 1)
    lines = out.splitlines()
    assert code == 1
    assert "False" in lines[1], "what is not supported comes first"
    assert lines[2].startswith("... and ")
    assert "not supported" in lines[-1]


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
        *("--image-size", 32, "--style-size", 32, "--num-channels", 2, "--device", "cpu"),
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
