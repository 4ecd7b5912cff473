"""Composed convolutions equal two in a row wherever no padding lies between them."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from pi_bench.errors import ModelError
from pi_bench.models.merging import kernels


def convolution(seed, channels, width, size, stride, padding, groups=1):
    torch.manual_seed(seed)
    return nn.Conv2d(channels, width, size, stride, padding, groups=groups).double()


def applied(kernel, image):
    """Without asking how the kernel is stored: by its definition, zeros beyond the border."""
    side = (image.shape[-1] + 2 * kernel.padding - kernel.size) // kernel.stride + 1
    padded = nn.functional.pad(image, (kernel.padding, kernel.padding + kernel.size) * 2)
    out = image.new_zeros(len(kernel.weight), side, side)
    for y in range(side):
        for x in range(side):
            rows = slice(kernel.stride * y, kernel.stride * y + kernel.size)
            columns = slice(kernel.stride * x, kernel.stride * x + kernel.size)
            out[:, y, x] = (kernel.weight * padded[:, rows, columns]).sum(dim=(1, 2, 3)) + kernel.bias
    return out


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(1, 2))
def test_composition_is_exact_inside(seed, size1, size2, stride1, stride2):
    first = convolution(seed, 2, 3, size1, stride1, size1 // 2)
    second = convolution(seed + 1, 3, 4, size2, stride2, size2 // 2)
    image = torch.randn(2, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        wanted = second(first(image))
    merged = kernels.of_convolution(second).after(kernels.of_convolution(first))
    assert merged.size == size1 + stride1 * (size2 - 1)
    assert (merged.stride, merged.depth) == (stride1 * stride2, 2)
    found = applied(merged, image)
    assert found.shape == wanted.shape
    inside = merged.inside(16, wanted.shape[-1])
    assert inside.stop > inside.start
    assert torch.allclose(found[:, inside, inside], wanted[:, inside, inside])


def test_composition_differs_only_at_borders():
    first, second = convolution(3, 2, 3, 3, 1, 1), convolution(4, 3, 2, 3, 1, 1)
    image = torch.randn(2, 8, 8, dtype=torch.float64)
    merged = kernels.of_convolution(second).after(kernels.of_convolution(first))
    with torch.no_grad():
        differs = ~torch.isclose(applied(merged, image), second(first(image))).all(dim=0)
    border = torch.ones(8, 8, dtype=torch.bool)
    inside = merged.inside(8, 8)
    border[inside, inside] = False
    assert (inside.start, inside.stop) == (2, 6)
    outer = torch.ones(8, 8, dtype=torch.bool)
    outer[1:-1, 1:-1] = False
    assert differs[outer].all() and not differs[~border].any()


def test_a_block_without_relus_is_one_convolution():
    first, second = convolution(5, 3, 3, 3, 1, 1), convolution(6, 3, 3, 3, 1, 1)
    inner = kernels.of_convolution(second).after(kernels.of_convolution(first))
    block = inner.plus(kernels.identity(3, torch.device("cpu")))
    assert (block.size, block.padding, block.depth) == (5, 2, 2)
    image = torch.randn(3, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        wanted = second(first(image)) + image
    assert torch.allclose(applied(block, image)[:, 2:7, 2:7], wanted[:, 2:7, 2:7])


def test_grouped_convolutions_become_dense():
    layer = convolution(7, 4, 8, 3, 1, 1, groups=2)
    image = torch.randn(4, 6, 6, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(applied(kernels.of_convolution(layer), image), layer(image))


def test_taps_that_meet_no_pixel_are_cut_off():
    layer = convolution(8, 2, 2, 13, 1, 6)
    kernel = kernels.of_convolution(layer)
    small = kernel.cropped(4, 4)
    assert (small.size, small.padding) == (7, 3)
    image = torch.randn(2, 4, 4, dtype=torch.float64)
    assert torch.allclose(applied(small, image), applied(kernel, image))
    assert kernel.inside(4, 4).start >= kernel.inside(4, 4).stop


@pytest.mark.parametrize(
    "layer",
    [nn.Conv2d(1, 1, 3, padding="same"), nn.Conv2d(1, 1, 3, dilation=2), nn.Conv2d(1, 1, (3, 1))],
)
def test_other_convolutions_are_refused(layer):
    with pytest.raises(ModelError, match="merging needs convolutions"):
        kernels.of_convolution(layer)
    with pytest.raises(ModelError, match="strides 1 and 2"):
        kernels.of_convolution(nn.Conv2d(1, 1, 1)).plus(kernels.of_convolution(nn.Conv2d(1, 1, 1, 2)))
