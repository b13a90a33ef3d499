"""What every test may use: a network, a photograph, a model; the seeds of random numbers; tests that need a browser."""

from __future__ import annotations

import collections
import functools
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from fns_lab.errors import MissingError
from fns_lab.paths import ROOT, SAVED_MODELS
from tests.seeds import seeded

REQUIRE_BROWSER = os.environ.get("FNS_LAB_REQUIRE_BROWSER") == "1"
"""Set where a browser test that skips must count as a failure."""

LONGEST_FIRST = (
    "test_notebooks_run.py",
    "test_site.py",
    "test_docs_commands.py",
    "test_jupyterlab.py",
    "test_benchmarks.py",
    "test_project.py",
    "test_processes.py",
    "test_netron_proxy.py",
    "test_resume.py",
)
"""Files that take half a minute or more of two cores, the longest first (a process runs a file as a whole)."""

SIZE = (64, 96)
"""Height and width of the shared model and photograph, pixels: small, and not equal."""


def pytest_configure(config):
    """Let Ctrl-C reach the programs that tests start, also where this process ignores it (`nohup`, `&`)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="leave out slow tests, and most cases of those with samples")


def pytest_collection_modifyitems(config, items):
    """Begin with the longest files: a process that begins with one late runs it alone at the end."""
    if config.option.quick:
        left_out = not_quick(items)
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    rank = {name: index for index, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


def not_quick(items):
    """Return the tests that are marked `slow`, and of those marked `sampled(n)` all cases but each n-th."""
    left_out, seen = set(), collections.Counter()
    for item in items:
        sampled = item.get_closest_marker("sampled")
        if sampled:
            test = item.path, item.originalname
            if seen[test] % sampled.args[0]:
                left_out.add(item)
            seen[test] += 1
        if item.get_closest_marker("slow"):
            left_out.add(item)
    return left_out


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Give each test file a seed of its own for what it draws on import."""
    with seeded(collector.nodeid):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Give each test a seed of its own."""
    with seeded(item.nodeid):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    """Give each shared fixture a seed of its own, whichever test uses it first."""
    if fixturedef.scope == "function":
        return (yield)
    with seeded(f"{fixturedef.baseid}::{fixturedef.argname}[{getattr(request, 'param_index', 0)}]"):
        return (yield)


@pytest.fixture(scope="session")
def net():
    """The narrowest shipped network: tests run it in every engine."""
    from fns_lab.nets import checkpoints

    return checkpoints.load(SAVED_MODELS / "mosaic_nc8.pth")


@pytest.fixture(scope="session")
def checkpoint(net, tmp_path_factory) -> Path:
    """`net` as a `.pth` file."""
    from fns_lab.nets import checkpoints

    return checkpoints.save(net, tmp_path_factory.mktemp("net") / "net.pth")


@pytest.fixture
def documented(checkpoint, photo_file, tmp_path, monkeypatch) -> Path:
    """A folder to work in, with the checkpoint (that of `net`, whatever its name says) and the photograph that the
    documents name."""
    (tmp_path / "saved_models").mkdir()
    (tmp_path / "saved_models" / "mosaic_nc16.pth").write_bytes(checkpoint.read_bytes())
    (tmp_path / "photo.jpg").write_bytes(photo_file.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A photograph, float32 `(1, 3, 64, 96)`, RGB, 0..255."""
    from fns_lab import photos

    return photos.load("astronaut", SIZE)


@pytest.fixture(scope="session")
def photo_file() -> Path:
    """A photograph as a file, 512 x 512 pixels."""
    from fns_lab import photos

    return photos.path("astronaut")


@pytest.fixture(scope="session")
def fns_model(net):
    """`net` exported at 64 x 96 pixels, opset 18. Copy it before changing it."""
    from fns_lab.export import onnx_from_torch

    return onnx_from_torch(net, SIZE)


@pytest.fixture(scope="session")
def fns_file(fns_model, tmp_path_factory) -> Path:
    """`fns_model` as an `.onnx` file."""
    from fns_lab import models

    return models.save(fns_model, tmp_path_factory.mktemp("model") / "fns.onnx")


@pytest.fixture(scope="session")
def cases():
    """ONNX's node tests by name, which take six seconds to collect."""
    from fns_lab.measure.matrix.cases import node_cases

    return {case.name: case for case in node_cases()}


@functools.cache
def browser_fault() -> str | None:
    """Why tests marked `browser` cannot run here, or None if they can."""
    from fns_lab.runtimes.chromium import shared_chromium

    if not (ROOT / "node_modules").is_dir():
        return "the npm engines are not installed: run `make setup`"
    chromium = shared_chromium()
    try:
        chromium.run(chromium.browser())
    except MissingError as error:
        return str(error)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Skip a browser test, naming what is missing, before any fixture of it opens a page."""
    if item.get_closest_marker("browser") and (fault := browser_fault()):
        pytest.skip(fault)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where the browser is required, a browser test that skips, for whatever reason, has failed."""
    report = yield
    if REQUIRE_BROWSER and report.skipped and item.get_closest_marker("browser") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped where FNS_LAB_REQUIRE_BROWSER=1: {report.longrepr[-1]}"
    return report


@pytest.fixture
def cli(capsys):
    """Run a command in this process: exit code, stdout, stderr."""

    def run(*argv):
        from fns_lab.cli import main

        code = main([str(arg) for arg in argv])
        out, err = capsys.readouterr()
        return code, out, err

    return run
