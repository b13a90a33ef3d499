"""The program itself: help, what it loads, a closed pipe, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from fns_lab.cli import BAD_INPUT, COMMANDS, GOOD, INTERRUPTED, PIPE_CLOSED


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
