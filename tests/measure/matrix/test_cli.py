"""`fns-lab matrix` on real targets."""

import json

import pytest

from fns_lab.cli import BAD_INPUT, GOOD, NO, main


def run(capsys, *argv):
    code = main(["matrix", *argv])
    out, err = capsys.readouterr()
    return code, out, err


def test_json_has_the_agreed_keys(capsys):
    code, out, _ = run(capsys, "--target", "ort/cpu", "--op", "Relu", "--op", "Abs", "--json")
    assert code == GOOD
    rows = json.loads(out)["rows"]
    assert [list(row) for row in rows[:1]] == [["target", "op", "case", "variant", "result", "max_abs"]]
    assert {row["op"] for row in rows} == {"Relu", "Abs"}
    assert {row["variant"] for row in rows} == {"native", "converted", "lowered"}
    assert {row["result"] for row in rows} == {"pass"}


def test_a_failure_that_the_table_does_not_know_is_exit_1_and_printed(capsys):
    code, out, _ = run(capsys, "--target", "ort/cpu", "--op", "Resize")
    assert code == NO
    assert "test_resize_downsample_scales_cubic_align_corners" in out
    assert "2 silently wrong" in out


def test_pairs_of_an_engine(capsys):
    code, out, _ = run(capsys, "--target", "ort/cpu", "--pairs", "--op", "DepthToSpace", "--json")
    assert code == GOOD
    rows = json.loads(out)["rows"]
    assert {"chain Conv > DepthToSpace", "fork DepthToSpace > Relu"} & {row["case"] for row in rows}
    assert all("DepthToSpace" in row["op"] for row in rows)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("--target", "ort"), "did you mean 'ort/cpu'"),
        (("--target", "ort/cpu", "--op", "Rellu"), "no test of that op; did you mean Relu"),
        (("--target", "ort/cpu", "--pairs", "--op", "Scan"), "no test of that op"),
        ((), "--target"),
    ],
)
def test_bad_input_is_one_line(capsys, argv, expected):
    code, out, err = run(capsys, *argv)
    assert (code, out) == (BAD_INPUT, "")
    assert err.count("\n") == 1
    assert expected in err
