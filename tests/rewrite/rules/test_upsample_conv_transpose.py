import pytest

from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, ops, preferring, upsample_conv, values

TARGET = preferring("ort-web/webgl", "upsample-conv-transpose")
SHAPE = (2, 3, 5, 7)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mode", ["reflect", "edge"])
def test_equal_to_upsample_pad_conv(mode, bias):
    before = upsample_conv(mode=mode, bias=bias)
    lowered = lower(before, TARGET)
    assert lowered
    assert ops(lowered.model) == ["Pad", "ConvTranspose"]
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_one_pixel():
    before = upsample_conv(shape=(1, 3, 1, 1), mode="edge")
    assert_same(before, lower(before, TARGET).model, values(1, 3, 1, 1), ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"), [(upsample_conv(scale=3), "not by 2"), (upsample_conv(kernel=1), "not 3x3")]
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "upsample-conv-transpose", reason)
