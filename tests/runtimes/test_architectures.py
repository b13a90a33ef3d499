"""Public networks in the real engine; `make bench` does the same for all of them and for more targets."""

import functools

import pytest

from benchmarks import architectures

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def exported_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(architectures, "exported", functools.cache(architectures.exported))
        yield


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v3_small", "vit"])
def test_a_public_network_runs_lowered(name):
    (row,) = architectures.run([name], ["onnxjs-0.1.8/wasm"])["rows"]
    assert row["right"], row
    assert row["error"] < 1e-5
    assert row["after"] >= row["before"]


def test_what_stops_a_network_is_named(monkeypatch):
    monkeypatch.setattr(architectures, "lower", lambda model, target: _lower_without_rules(model, target))
    (row,) = architectures.run(["mobilenet_v3_small"], ["onnxjs-0.1.8/wasm"])["rows"]
    assert not row["right"]
    assert "HardSwish" in row["stopped_by"]


def _lower_without_rules(model, target):
    from fns_lab.rewrite.lower import lower

    return lower(model, target, rules=())
