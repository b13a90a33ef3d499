"""Images: every kind that decodes gives upright RGB 0..255; the rest is refused in one line."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ExifTags, Image

from fns_lab import images
from fns_lab.errors import InputError

H, W = 5, 8


@pytest.fixture
def rgb() -> np.ndarray:
    """`(H, W, 3)`, uint8, no two pixels alike."""
    return np.random.default_rng(0).permutation(H * W * 3).reshape(H, W, 3).astype(np.uint8) * 2


def test_an_image_comes_back_bit_for_bit(rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    x = images.load(tmp_path / "a.png")
    assert (x.dtype, x.shape, x.flags.c_contiguous) == (np.float32, (1, 3, H, W), True)
    np.testing.assert_array_equal(x[0].transpose(1, 2, 0), rgb)
    assert images.save(x, tmp_path / "b.PNG").is_file()
    np.testing.assert_array_equal(images.load(tmp_path / "b.PNG"), x)


@pytest.mark.parametrize("suffix", images.SUFFIXES)
def test_every_suffix_is_written_as_what_it_says(suffix, tmp_path):
    x = np.broadcast_to(np.linspace(0, 255, W, dtype=np.float32), (1, 3, H, W))
    path = images.save(x, tmp_path / f"ramp{suffix}")
    with Image.open(path) as image:
        assert suffix in [known for known, name in Image.registered_extensions().items() if name == image.format]
    assert np.abs(images.load(path) - x).max() < 12  # JPEG and WebP lose a little
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_image_upright(orientation, tmp_path):
    as_stored = {  # what the camera wrote for an image that is upright as `upright`
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    upright = np.arange(H * W * 3, dtype=np.uint8).reshape(H, W, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(as_stored[orientation](upright))
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(np.asarray(images.open_rgb(tmp_path / "turned.png")), upright)


def test_grey_is_three_equal_channels(rgb, tmp_path):
    grey = rgb[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(images.load(tmp_path / "grey.png"), np.broadcast_to(grey, (1, 3, H, W)))


@pytest.mark.parametrize(
    ("dtype", "top", "suffix"),
    [(np.uint16, 65535, ".png"), (np.int32, 65535, ".tif"), (np.float32, 1, ".tif"), (np.float32, 255, ".tif")],
)
def test_deep_grey_is_scaled_to_its_range(dtype, top, suffix, tmp_path):
    ramp = np.linspace(0, 1, H * W).reshape(H, W)
    path = tmp_path / f"deep{suffix}"
    Image.fromarray((ramp * top).astype(dtype)).save(path)
    assert np.abs(images.load(path)[0, 1] - ramp * 255).max() <= 1


def test_a_dark_16_bit_image_stays_dark(tmp_path):
    Image.fromarray(np.full((H, W), 255, dtype=np.uint16)).save(tmp_path / "dark.png")
    assert images.load(tmp_path / "dark.png").max() == 1


def test_transparency_becomes_white(rgb, tmp_path):
    alpha = np.linspace(0, 255, H * W).reshape(H, W, 1)
    Image.fromarray(np.dstack([rgb, alpha.astype(np.uint8)])).save(tmp_path / "glass.png")
    expected = rgb * (alpha / 255) + 255 * (1 - alpha / 255)
    loaded = images.load(tmp_path / "glass.png")[0].transpose(1, 2, 0)
    assert np.abs(loaded - expected).max() < 2


def test_a_palette_keeps_its_colours_and_transparency_becomes_white(tmp_path):
    palette = Image.new("P", (3, 2))
    palette.putpalette([200, 10, 30, 20, 90, 250, 5, 5, 5])
    palette.putdata([0, 1, 2, 1, 0, 2])
    palette.save(tmp_path / "palette.png", transparency=2)
    loaded = np.asarray(images.open_rgb(tmp_path / "palette.png"))
    a, b, hole = [200, 10, 30], [20, 90, 250], [255, 255, 255]
    np.testing.assert_array_equal(loaded, [[a, b, hole], [b, a, hole]])


def test_cmyk_is_turned_to_rgb(tmp_path):
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "print.jpg", quality=95)
    red, green, blue = images.load(tmp_path / "print.jpg")[0].mean((1, 2))
    assert red > 240
    assert max(green, blue) < 15


def test_scale_divides_and_size_covers_and_cuts_the_middle(tmp_path):
    wide = np.zeros((40, 120, 3), np.uint8)
    wide[:, 40:80, 0] = 250
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert images.load(tmp_path / "wide.png", scale=4).shape == (1, 3, 10, 30)
    assert images.load(tmp_path / "wide.png", scale=1000).shape == (1, 3, 1, 1)
    middle = images.load(tmp_path / "wide.png", size=(20, 10))
    assert middle.shape == (1, 3, 20, 10)
    np.testing.assert_array_equal(middle[0, :, 5, 5], [250, 0, 0])
    assert middle[0, 0].min() == 250


def test_values_are_clipped_and_rounded():
    x = np.array([-7.0, 0.4, 0.6, 254.6, 999.0], np.float32).reshape(1, 1, 1, 5).repeat(3, axis=1)
    np.testing.assert_array_equal(np.asarray(images.image_from_array(x))[0, :, 0], [0, 0, 1, 255, 255])


def test_every_image_cut_short_is_refused(tmp_path):
    noise = np.random.default_rng(1).integers(0, 256, (64, 48, 3), dtype=np.uint8)
    for suffix in (".jpg", ".png", ".tif", ".bmp"):
        path = tmp_path / f"cut{suffix}"
        Image.fromarray(noise).save(path)
        data = path.read_bytes()
        for part in (0, 1, 7, 40, len(data) // 2):
            path.write_bytes(data[:part])
            refusal(lambda path=path: images.load(path), str(path))


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "note.png").write_text("no image")
    assert "not an image; give a JPEG" in refusal(lambda: images.load(tmp_path / "note.png"), "note.png")
    assert "no such file" in refusal(lambda: images.load(tmp_path / "gone.png"), "gone.png")
    assert "a folder" in refusal(lambda: images.load(tmp_path), str(tmp_path))


@pytest.mark.parametrize("options", [{"scale": 0}, {"scale": -2}, {"scale": float("nan")}, {"size": (0, 9)}])
def test_sizes_that_are_none_are_refused(options, tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    refusal(lambda: images.load(tmp_path / "a.png", **options), next(iter(options)))


def test_arrays_that_are_no_image_are_refused_and_leave_no_file(tmp_path):
    good = np.zeros((1, 3, H, W), np.float32)
    bad = good.copy()
    bad[0, 1, 2, 3] = np.nan
    for x, name, said in (
        (bad, "a.png", "NaN or Inf"),
        (np.zeros((2, 3, H, W)), "a.png", r"(2, 3, 5, 8)"),
        (np.zeros((1, 1, H, W)), "a.png", r"(1, 1, 5, 8)"),
        (good, "a.npy", "use .png or .jpg"),
        (good, "a", "use .png or .jpg"),
        (good, "gone/a.png", "create the folder first"),
    ):
        refusal(lambda x=x, name=name: images.save(x, tmp_path / name), said)
    assert not list(tmp_path.iterdir())


def refusal(call, said: str) -> str:
    with pytest.raises(InputError) as caught:
        call()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_content_is_decoded_as_a_file_is_and_has_a_name_in_messages(rgb, tmp_path):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    np.testing.assert_array_equal(images.load(content), images.load(tmp_path / "a.png"))
    with pytest.raises(InputError, match=r"^notes\.txt: not an image"):
        images.load(b"some text", name="notes.txt")


def test_an_image_of_too_many_pixels_is_scaled_down_and_keeps_its_shape(rgb, tmp_path):
    Image.fromarray(rgb).resize((80, 50)).save(tmp_path / "a.png")
    assert images.load(tmp_path / "a.png", most_pixels=1000).shape == (1, 3, 25, 40)
    assert images.load(tmp_path / "a.png", most_pixels=4000).shape == (1, 3, 50, 80)


@pytest.mark.parametrize("scale", [None, 2, 0.5])
@pytest.mark.parametrize("orientation", [1, 6])
def test_the_size_is_known_before_an_image_is_decoded(tmp_path, orientation, scale):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / "x.jpg"
    Image.new("RGB", (33, 21)).save(path, exif=exif)
    assert images.size_px(path, scale=scale) == images.load(path, scale=scale).shape[2:]
    path.write_bytes(path.read_bytes()[:-6])
    assert images.size_px(path)[0] == (33 if orientation == 6 else 21)
