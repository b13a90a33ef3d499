"""The train command from its flags to the files it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from fns_lab.cli import GOOD, main
from tests.training.folders import BROKEN, good_folder, mixed_folder


@pytest.fixture
def train(capsys, photo_file, tmp_path):
    """Run `fns-lab train` in this process on the smallest network: exit code, stdout, stderr."""

    def run(dataset: Path, *more):
        out = tmp_path / "out"
        flags = ("--image-size", 16, "--style-size", 16, "--num-channels", 2, "--batch-size", 1, "--cuda", 0)
        argv = ("train", "--dataset", dataset, "--style-image", photo_file, "--save-model-dir", out, *flags, *more)
        code = main([str(arg) for arg in argv])
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Path:
    return good_folder(tmp_path_factory.mktemp("photographs"), 5)


def test_a_folder_with_ten_broken_of_thirty_trains_and_says_which(train, tmp_path):
    folder = mixed_folder(tmp_path / "mixed")
    code, out, err = train(folder, "--max-steps", 2)
    assert code == GOOD, err
    assert Path(out.splitlines()[-1]).is_file()
    assert "skips 10 of 30 pictures:" in err
    for name in BROKEN:
        assert f"{folder / name}: " in err


def test_nothing_is_said_to_be_skipped_where_nothing_is(train, photographs):
    code, _, err = train(photographs, "--max-steps", 1)
    assert code == GOOD
    assert "skip" not in err
