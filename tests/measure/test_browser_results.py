"""Results of the benchmark page: files of several machines become one table, and what does not belong is named."""

from __future__ import annotations

import json
import math

import pytest

from fns_lab.errors import InputError
from fns_lab.measure import browser_results
from fns_lab.measure.browser_results import factors, read
from fns_lab.paths import ROOT

CHROMIUM, FIREFOX = "Chromium 156.0.1", "Firefox 153.0"


def row(file="lowered", target="ort-web/wasm", ms=10.0, nodes=64, **changes):
    times = {
        "ms_start": 900,
        "ms_load": 40,
        "ms_first": 3 * ms,
        "ms_median": ms,
        "ms_p10": 0.9 * ms,
        "ms_p90": 1.2 * ms,
    }
    names = {"model": "net", "file": file, "nodes": nodes, "size": "128x128", "target": target, "engine": "an engine"}
    return {**names, **times, "runs": 5, "max_abs": 0.001, **changes}


def results(rows, browser=CHROMIUM, date="2026-01-02T03:04:05.000Z", version="0.1.0", cores=2):
    device = {"browser": browser, "system": "Linux", "cores": cores, "isolated": False, "webgl": "a GPU", "webgpu": ""}
    return {
        "format": "fns-lab benchmark",
        "version": version,
        "date": date,
        "device": device,
        "rounds": 5,
        "rows": rows,
    }


@pytest.fixture
def folder(tmp_path):
    def write(**files):
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def reasons(found):
    return dict(zip(found.files.file, found.files.left_out, strict=True))


def test_a_file_is_compared_with_base_ops_on_its_own_machine(folder):
    one = results([row("base ops", ms=30.0, nodes=131), row(ms=10.0)])
    two = results([row("base ops", ms=90.0, nodes=131), row(ms=15.0)], browser=FIREFOX)
    found = read(folder(one=one, two=two))
    lowered = found.table[found.table.file == "lowered"].set_index("machine").times_as_fast
    assert lowered.to_dict() == {
        "Chromium 156, Linux, 2 cores, one thread": 3.0, "Firefox 153, Linux, 2 cores, one thread": 6.0,
    }  # fmt: skip
    assert (found.table[found.table.file == "base ops"].times_as_fast == 1).all()
    assert str(found) == "2 files read, 0 left out, 2 machines, 4 timed rows, 0 rows left out"


def test_a_ratio_needs_two_right_images(folder):
    wrong = results([row("base ops", ms=30.0, nodes=131, max_abs=15.0), row()])
    table = read(folder(wrong=wrong)).table.set_index("file")
    assert table.right.to_dict() == {"base ops": False, "lowered": True}
    assert math.isnan(table.times_as_fast["lowered"])


def test_a_copy_is_read_once_also_when_it_is_written_otherwise(folder):
    content = results([row()])
    found = read(folder(a=content, b=json.dumps(content, indent=4, sort_keys=True)))
    assert reasons(found) == {"a.json": "", "b.json": "a copy of a.json"}
    assert len(found.table) == 1


def test_the_same_machine_measured_twice_is_told_apart_by_number(folder):
    found = read(folder(b=results([row()], date="2026-01-02"), a=results([row(ms=12.0)], date="2026-01-03")))
    assert found.table.set_index("source").machine.to_dict() == {
        "b.json": "Chromium 156, Linux, 2 cores, one thread", "a.json": "Chromium 156, Linux, 2 cores, one thread (2)",
    }  # fmt: skip


def test_another_version_is_left_out(folder):
    old, new = results([row()], version="0.9.0"), results([row()], version="0.10.0")
    assert reasons(read(folder(old=old, new=new)))["old.json"] == "of version 0.9.0; the others are of 0.10.0"
    more = results([row()], version="0.9.0", browser=FIREFOX)
    assert reasons(read(folder(old=old, new=new, more=more)))["new.json"].startswith("of version 0.10.0")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "not saved by the benchmark page"),
        ({"format": "fns-lab benchmark", "rows": []}, "incomplete"),
        (results(["a"]), "incomplete"),
    ],
)
def test_a_file_that_is_none_of_the_pages_is_named(folder, content, reason):
    found = read(folder(a=results([row()]), b=content))
    assert reasons(found)["b.json"].startswith(reason)
    assert len(found.table) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fault": "no op Erf"}, "did not run: no op Erf"),
        ({"ms_median": 0}, "impossible: ms_median is 0"),
        ({"ms_first": -1}, "impossible: ms_first is -1"),
        ({"ms_load": "12"}, "impossible: ms_load is '12'"),
        ({"ms_load": True}, "impossible: ms_load is True"),
        ({"ms_p90": 1e9}, "impossible: ms_p90 is 1e\\+09"),
        ({"ms_p10": 11}, "impossible: the median is not between"),
        ({"max_abs": -0.5}, "impossible: max_abs is -0.5"),
        ({"max_abs": float("nan")}, "impossible: max_abs is nan"),
        ({"runs": 0}, "impossible: no runs"),
        ({"ms_median": None}, "not measured: no ms_median"),
        ({"nodes": 65}, "another file: 65 nodes, elsewhere 64"),
    ],
)
def test_a_row_that_is_no_measurement_is_named(folder, changes, reason):
    found = read(folder(a=results([row()]), b=results([row(**changes)], browser=FIREFOX)))
    assert list(found.table.source) == ["a.json"]
    assert found.left_out.source.tolist() == ["b.json"]
    assert found.left_out.reason.str.match(reason).all()


def test_a_row_that_is_given_twice_counts_once(folder):
    found = read(folder(a=results([row(), row(ms=20.0)])))
    assert found.table.ms_median.tolist() == [10.0]
    assert found.left_out.reason.tolist() == ["given twice"]


def test_what_a_time_depends_on_most_comes_first(folder):
    rows = [row(f, t, ms=ms * factor, nodes=n) for f, factor, n in (("lowered", 1, 64), ("base ops", 2, 131))
            for t, ms in (("ort-web/wasm", 10.0), ("onnxjs-0.1.8/cpu", 300.0))]  # fmt: skip
    found = factors(read(folder(a=results(rows))).table)
    assert found[["factor", "groups", "median"]].to_numpy().tolist() == [["target", 2, 30.0], ["file", 2, 2.0]]


def test_a_folder_without_results_is_refused(tmp_path, folder):
    with pytest.raises(InputError, match="no such folder"):
        read(tmp_path / "none")
    with pytest.raises(InputError, match="no JSON files"):
        read(tmp_path)
    with pytest.raises(InputError, match="no file of the benchmark page"):
        read(folder(a="{}"))


def test_the_shipped_results_are_measurements():
    found = read(ROOT / "data" / "browser-results")
    assert (found.files.left_out == "").all()
    assert found.table.machine.nunique() >= 3
    assert found.table.right.all()
    assert set(found.table.file) >= {browser_results.BASE_OPS, "lowered"}
