"""The train command, from its flags to the files that it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torchvision.models.vgg import make_layers

from fns_lab import images
from fns_lab.cli import BAD_INPUT, GOOD, MISSING, main
from fns_lab.nets import checkpoints
from fns_lab.training import log
from tests.training.folders import BROKEN, good_folder, mixed_folder


@pytest.fixture
def train(capsys, photo_file, tmp_path):
    """Run `fns-lab train` in this process on the smallest network: exit code, stdout, stderr."""

    def run(dataset: Path, *more):
        out = tmp_path / "out"
        flags = ("--image-size", 16, "--style-size", 16, "--num-channels", 2, "--batch-size", 1, "--device", "cpu")
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
    assert "skipping 10 of 30 images:" in err
    for name in BROKEN:
        assert f"{folder / name}: " in err


def test_nothing_is_said_to_be_skipped_where_nothing_is(train, photographs):
    code, _, err = train(photographs, "--max-steps", 1)
    assert code == GOOD
    assert "skip" not in err


def test_the_result_is_named_as_the_fork_names_it_and_has_a_card(train, photographs, tmp_path):
    code, out, _ = train(photographs, "--epochs", 2, "--style-weight", "2.5e9")
    assert code == GOOD
    path = Path(out.splitlines()[-1])
    assert path == tmp_path / "out" / "astronaut_nc2_b1_e2_1e05_2.5e09.pth"
    assert checkpoints.load(path).width == 2
    card = path.with_suffix(".md").read_text()
    losses = pd.read_csv(path.with_suffix("").with_name(f"{path.stem}_run") / "losses.csv", index_col="step")
    for said in (
        "# astronaut_nc2_b1_e2_1e05_2.5e09\n",
        "| network | `TransformerNet(2)`, ",
        "| photographs | 5 in `",
        "; 0 skipped because unreadable",
        "| steps | 10, 2 times through the photographs |",
        "| batch, crop | 1, 16 x 16 px |",
        "| steps 1 to 10 | content weight 1e05, style weight 2.5e09, learning rate 0.001 |",
        f"torch {torch.__version__} |",
        f"| 1 | {losses.content[1]:.3g} | {losses['style'][1]:.3g} |",
        f"| 10 | {losses.content[10]:.3g} | {losses['style'][10]:.3g} |",
    ):
        assert said in card


def test_the_card_lists_the_stages_of_a_run_whose_weights_changed(train, photographs, tmp_path):
    run_dir = tmp_path / "run"
    assert train(photographs, "--max-steps", 2, "--checkpoint-model-dir", run_dir)[0] == GOOD
    code, out, err = train(photographs, "--max-steps", 3, "--style-weight", "1e9", "--resume", run_dir)
    assert code == GOOD
    assert "changed from " in err
    assert " to content weight 100000, style weight 1e+09, lr 0.001" in err
    path = Path(out.splitlines()[-1])
    assert path.name == "astronaut_nc2_b1_s3_1e05_1e09.pth"
    card = path.with_suffix(".md").read_text()
    assert "| steps 1 to 2 | content weight 1e05, style weight 1e10, " in card
    assert "| steps 3 to 3 | content weight 1e05, style weight 1e09, " in card


def test_progress_and_previews_during_a_run(train, photographs, tmp_path):
    run_dir = tmp_path / "run"
    plain = train(photographs, "--max-steps", 4)
    seen = train(photographs, "--max-steps", 4, "--preview-interval", 2, "--checkpoint-model-dir", run_dir)
    assert (plain[0], seen[0]) == (GOOD, GOOD)
    for said in ("step 4 of 4 [", " left, ", " images/s, content ", "step 4: content "):
        assert said in seen[2]
    assert len(seen[1].splitlines()) == 1, "stdout holds the result alone"
    strips = sorted(run_dir.glob("preview_*.png"))
    assert [path.name for path in strips] == ["preview_0000002.png", "preview_0000004.png"]
    first, second = (images.load(path) for path in strips)
    assert first.shape == (1, 3, 2 * 16, 3 * 16)
    np.testing.assert_array_equal(first[:, :, :16], second[:, :, :16])
    assert first[:, :, :16].std() > 10
    assert not np.array_equal(first[:, :, 16:], second[:, :, 16:])
    assert images.load(run_dir / "losses.png").std() > 10
    end = torch.load(run_dir / "step_0000004.ckpt", weights_only=True)["net"]
    for name, value in checkpoints.load(plain[1].strip()).state_dict().items():
        assert torch.equal(value, end[name]), "a preview changes nothing"


def test_the_log_keeps_whole_lines_up_to_the_step_resumed_from(tmp_path):
    path = tmp_path / "losses.csv"
    path.write_text(log.HEADER + "1,5,6,0.1\n2,4,5,0.1\n3,3,4,0.1\n4,2")
    with log.LossLog(path, 2):
        assert path.read_text() == log.HEADER + "1,5,6,0.1\n2,4,5,0.1\n"
    with log.LossLog(path, 0):
        assert path.read_text() == log.HEADER


def test_torchvision_s_loss_network_in_place_of_the_shipped_one(train, photographs, tmp_path):
    """A file like torchvision's with seeded weights: the card names it, and a resumed run must use it again."""
    torch.manual_seed(0)
    layers = make_layers([64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512])
    path, run_dir = tmp_path / "vgg16.pth", tmp_path / "run"
    torch.save({f"features.{name}": value for name, value in layers.state_dict().items()}, path)
    code, out, err = train(
        photographs, "--max-steps", 1, "--loss-weights", path, "--lr", 1e-4, "--checkpoint-model-dir", run_dir
    )
    assert code == GOOD, err
    assert "| loss network | VGG-16, torchvision weights |" in Path(out.strip()).with_suffix(".md").read_text()
    code, _, err = train(photographs, "--max-steps", 2, "--resume", run_dir)
    assert code == BAD_INPUT
    assert "--loss-weights was torchvision and is now shipped" in err


@pytest.mark.parametrize("flags", ["--style-weight nan", "--content-weight -1", "--style-weight inf", "--lr 0"])
def test_invalid_weights_are_refused(train, photographs, tmp_path, flags):
    code, _, err = train(photographs, *flags.split())
    assert code == BAD_INPUT
    assert err.startswith(f"fns-lab: {flags.split()[0]} ")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


UPSTREAM = (
    "--epochs 2 --cuda 1 --content-weight 1e5 --style-weight 1e09",
    "--epochs 2 --cuda 1 --content-weight 1e5 --style-weight 1e10",
)


@pytest.mark.parametrize("line", UPSTREAM)
def test_upstream_s_command_line_says_in_one_line_that_there_is_no_cuda(
    line, photographs, photo_file, tmp_path, capsys
):
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA, so nothing is missing")
    places = ("--dataset", photographs, "--save-model-dir", tmp_path / "out", "--style-image", photo_file)
    assert main(["train", *map(str, places), *line.split()]) == MISSING
    err = capsys.readouterr().err
    assert err.startswith("fns-lab: --device cuda: not available here")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
