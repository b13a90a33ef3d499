import numpy as np
import pandas as pd
import pytest
from matplotlib.offsetbox import AnnotationBbox

from fns_lab.errors import InputError
from fns_lab.views.trade_off import trade_off

TABLE = pd.DataFrame(
    {"kB": [6700.0, 1700.0, 450.0], "ms": [90.0, np.nan, 14.0], "ssim": [0.9, 0.8, 0.7], "width": [32, 16, 16]},
    index=["large", "middle", "small"],
)
IMAGES = {label: np.full((1, 3, 40, 60), 40.0 * i, np.float32) for i, label in enumerate(TABLE.index)}


def drawn(table=TABLE, images=IMAGES):
    return trade_off(table, images, costs=("kB", "ms"), quality="ssim", group="width")


def test_one_panel_per_cost_with_the_images_in_the_first():
    figure = drawn()
    assert figure._repr_png_().startswith(b"\x89PNG")
    first, second = figure.axes
    assert [axes.get_xlabel() for axes in figure.axes] == ["kB", "ms"]
    images = [artist for artist in first.artists if isinstance(artist, AnnotationBbox)]
    assert [tuple(image.xy) for image in images] == list(zip(TABLE.kB, TABLE.ssim, strict=True))
    assert not second.artists
    assert [text.get_text() for text in second.get_legend().get_texts()] == ["width 32", "width 16"]


def test_rows_of_a_group_are_joined_and_a_failed_one_has_no_point():
    lines = drawn().axes[1].get_lines()
    assert [list(line.get_xdata()) for line in lines] == [[90.0], [pytest.approx(np.nan, nan_ok=True), 14.0]]


@pytest.mark.parametrize(
    ("table", "images", "message"),
    [
        (TABLE.iloc[:0], IMAGES, "no models"),
        (TABLE.assign(kB=[1.0, 0.0, 2.0]), IMAGES, "kB: a log scale"),
        (TABLE, {"large": IMAGES["large"]}, "no image of 'middle'"),
    ],
)
def test_what_cannot_be_drawn_is_refused(table, images, message):
    with pytest.raises(InputError, match=message):
        drawn(table, images)
