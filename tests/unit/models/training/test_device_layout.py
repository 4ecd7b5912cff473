"""The layout of weights and inputs, and the one that oneDNN does not survive."""

import pytest
import torch
from torch import nn

from pi_bench.models.training.device_layout import move_to_device

CHANNELS_LAST = {"memory_format": torch.channels_last}


def inputs_of(module, values):
    """Returns the inputs that the convolutions get in a forward pass, by the module's name."""
    seen = {}
    names = {part: name for name, part in module.named_modules()}

    def look(part, inputs, output):
        seen[names[part]] = inputs[0]

    hooks = [part.register_forward_hook(look) for part in module]
    module(values)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.mark.parametrize(("channels", "contiguous"), [(3, True), (15, True), (16, False), (24, False)])
def test_strided_pointwise_convolutions_read_contiguous_inputs(channels, contiguous):
    module = nn.Sequential()
    module.add_module("first", nn.Conv2d(2, channels, 3, padding=1))
    module.add_module("strided", nn.Conv2d(channels, 8, 1, stride=2))
    move_to_device(module, torch.device("cpu"))
    move_to_device(module, torch.device("cpu"))  # a later move adds nothing
    values = torch.randn(4, 2, 8, 8).contiguous(**CHANNELS_LAST)
    seen = inputs_of(module, values)
    assert seen["first"].is_contiguous(**CHANNELS_LAST)
    assert seen["strided"].is_contiguous() == contiguous
    with torch.no_grad():  # no gradient is computed, and a trace of the network stays the same
        assert inputs_of(module, values)["strided"].is_contiguous(**CHANNELS_LAST)
    assert [len(part._forward_pre_hooks) for part in module] == [0, int(contiguous)]


@pytest.mark.parametrize("channels", [1, 3, 5, 7, 8, 15, 24])
@pytest.mark.parametrize("stride", [2, 3])
def test_the_gradients_are_those_of_another_layout(channels, stride):
    torch.manual_seed(channels)
    module = nn.Conv2d(channels, 6, 1, stride=stride, dtype=torch.float64)
    values = torch.randn(4, channels, 9, 9, dtype=torch.float64, requires_grad=True)
    module(values).square().sum().backward()
    wanted = values.grad, module.weight.grad.clone()
    module.zero_grad()
    narrow = module.float()
    move_to_device(narrow, torch.device("cpu"))
    again = values.detach().float().contiguous(**CHANNELS_LAST).requires_grad_()
    narrow(again).square().sum().backward()
    torch.testing.assert_close(again.grad.double(), wanted[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(narrow.weight.grad.double(), wanted[1], rtol=1e-4, atol=1e-3)
