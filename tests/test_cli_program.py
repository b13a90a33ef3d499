"""The program itself: help, what it loads, a closed pipe, Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

from fns_lab.cli import BAD_INPUT, COMMANDS, FAULT, GOOD, INTERRUPTED, NO, PIPE_CLOSED, TERMINATED

RELU = (
    b'\x08\x08:+\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01gZ\x0b\n\x01x\x12\x06\n\x04\x08\x01\x12\x00'
    b"b\x0b\n\x01y\x12\x06\n\x04\x08\x01\x12\x00B\x04\n\x00\x10\r"
)


def python(*argv, **options):
    return subprocess.run([sys.executable, *argv], capture_output=True, text=True, timeout=60, **options)


def test_help_loads_nothing_heavy():
    heavy = ("torch", "onnxruntime", "onnx", "numpy", "pandas", "PIL", "playwright", "matplotlib", "netron", "IPython")
    script = f"""import sys; from fns_lab.cli import main
assert main(["--help"]) == 0
sys.exit([name for name in {heavy} if name in sys.modules] or 0)"""
    result = python("-c", script)
    assert result.returncode == 0, f"loaded: {result.stderr}"
    assert "python -m" not in result.stdout
    assert "doctor" in result.stdout


@pytest.mark.parametrize("module", ["fns_lab", "fns_lab.targets", "fns_lab.runtimes.engine_process"])
def test_import_loads_nothing_heavy(module):
    heavy = {"torch", "onnxruntime", "onnx_ir", "pandas"}
    result = python("-c", f"import {module}, sys; sys.exit({heavy} & set(sys.modules) or 0)")
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


def test_the_answer_of_check_is_its_last_line(tmp_path):
    """After what goes to the other stream, as a terminal shows both."""
    (tmp_path / "relu.onnx").write_bytes(RELU)
    command = [sys.executable, "-u", "-m", "fns_lab", "check", "relu.onnx", "--target", "onnxjs-0.1.8/webgl"]
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    lines = subprocess.run(command, cwd=tmp_path, timeout=60, text=True, check=False, **both).stdout.splitlines()
    assert lines[-1].startswith("onnxjs-0.1.8/webgl: ")
    assert any("leaves open" in line for line in lines[:-1])


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


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [(signal.SIGINT, INTERRUPTED, "fns-lab: interrupted\n"), (signal.SIGTERM, TERMINATED, "fns-lab: terminated\n")],
)
@pytest.mark.parametrize("early", [True, False], ids=["while it starts", "while it runs"])
def test_a_signal_ends_with_one_line(fns_file, number, code, line, early):
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime" if early else "dev", "-m", "fns_lab", "-q", "view", str(fns_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"BROWSER": "true", "PYTHONWARNINGS": "ignore"},
    )
    if early:
        while "typer" not in process.stderr.readline():
            assert process.poll() is None
    else:
        assert process.stdout.readline().startswith("http://")
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "".join(part for part in err.splitlines(keepends=True) if not part.startswith("import time:")) == line


def test_a_signal_within_an_exec_of_a_library_ends_with_one_line(fns_file, tmp_path):
    (tmp_path / "onnx.py").write_text('exec("import os, signal; os.kill(os.getpid(), signal.SIGINT)")')
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = ("-m", "fns_lab", "check", str(fns_file), "--target", "ort/cpu")
    result = python(*command, env=os.environ | {"PYTHONPATH": path})
    assert (result.returncode, result.stderr) == (INTERRUPTED, "fns-lab: interrupted\n")


def test_version_is_printed(cli):
    code, out, err = cli("--version")
    assert (code, err) == (GOOD, "")
    assert re.fullmatch(r"fns-lab \d[\w.]*\n", out)


def test_completion_can_be_installed(cli):
    assert "--install-completion" in cli("--help")[1]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (IndexError("list index out of range"), FAULT, "a fault of fns-lab: IndexError: list index out of range; "),
        (MemoryError(), NO, "not enough memory: MemoryError"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), NO, "not enough memory: DefaultCPU"),
    ],
)
def test_what_no_command_foresees_is_one_line(cli, monkeypatch, fns_file, error, code, line):
    from fns_lab import models

    def fail(path):
        raise error

    monkeypatch.setattr(models, "load", fail)
    result, out, err = cli("check", fns_file, "--target", "ort/cpu")
    assert (result, out) == (code, "")
    assert err.startswith(f"fns-lab: {line}")
    assert err.count("\n") == 1
    assert "Traceback" in cli("-v", "check", fns_file, "--target", "ort/cpu")[2]


def test_quiet_prints_no_notes(cli, fns_file):
    command = ("check", fns_file, "--target", "onnxjs-0.1.8/webgl")
    assert "leaves open" in cli(*command)[2]
    assert cli("-q", *command)[2] == ""
    assert cli("-q", "-v", *command)[0] == BAD_INPUT


def test_names_in_a_file_cannot_steer_the_terminal(cli, tmp_path):
    from onnx import TensorProto, helper

    from fns_lab import models

    name = "\x1b[2J\x1b]0;title\x07\u202e"
    x, y = (helper.make_tensor_value_info(value, TensorProto.FLOAT, [1, 2]) for value in ("x", name))
    graph = helper.make_graph([helper.make_node("Relu", ["x"], [name], name=name)], name, [x], [y])
    path = tmp_path / "model.onnx"
    models.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    np.save(tmp_path / "x.npy", np.zeros((1, 2), np.float32))
    for command in (
        ("compare", path, path, "--input", tmp_path / "x.npy"),
        ("lower", path, "--target", "ort/cpu", "-o", tmp_path / "out.onnx"),
        ("run", path, "--target", "ort/cpu", "--input", tmp_path / "x.npy", "-o", tmp_path / "y.npy"),
        ("run", path, "--target", "ort/cpu", "--input", path, "-o", tmp_path / "y.npy"),
    ):
        _, out, err = cli(*command)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out + err), command
    assert "\\x1b[2J" in cli("compare", path, path, "--input", tmp_path / "x.npy")[1]


def test_onnxruntime_keeps_no_number_of_the_machine_and_asks_nobody(tmp_path):
    """Its own default, tried first, writes to the cache folder, unless a variable says that this is a test machine."""

    def written(script):
        folder = tmp_path / f"cache{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        environment = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(folder), "HOME": str(folder)}
        result = python("-c", script, env=environment)
        assert result.returncode == 0, result.stderr
        return [path for path in folder.rglob("*") if path.is_file()]

    run = f"import {{}}; import onnxruntime; onnxruntime.InferenceSession({RELU!r})"
    assert written(run.format("sys")), "onnxruntime keeps nothing any more: then this test and the setting can go"
    assert written(run.format("fns_lab")) == []


def test_a_target_s_ops_and_faults_are_shown(cli):
    code, out, _ = cli("targets", "onnxjs-0.1.8/webgl")
    assert code == GOOD
    assert "InstanceNormalization" in out
    assert re.search(r"\nonnxjs-0.1.8/webgl: \d+ ops, up to opset \d+, \d+ known faults\n$", out)
