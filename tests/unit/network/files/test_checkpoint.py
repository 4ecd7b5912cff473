"""Checkpoints as training scripts leave them: wrapped, prefixed, with ReLU masks of many names."""

from pathlib import Path
from typing import Any

import pytest

from pi_bench.errors import ModelError

torch = pytest.importorskip("torch")
from torch import nn

import pi_bench
from pi_bench.network.lowering import lower


class Masked(nn.Module):
    """Has its masks itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.alpha = nn.Parameter(torch.zeros(1, 2, 2, 2), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return self.alpha * torch.relu(x) + (1 - self.alpha) * x


def plain() -> nn.Module:
    """Has ReLUs alone, one of them in a submodule."""
    inner = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(inplace=True))
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), inner)


MASK = torch.tensor([[[1.0, 0], [0, 1]], [[0, 0], [1, 1]]])


def saved(path: Path, module: nn.Module, prefix: str = "", key: str | None = None, **masks: Any) -> Path:
    state = {prefix + name: value for name, value in module.state_dict().items()}
    state |= {prefix + name.replace("__", "."): value for name, value in masks.items()}
    torch.save(state if key is None else {"epoch": 7, key: state}, path)
    return path


@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod."])
@pytest.mark.parametrize("key", [None, "state_dict", "model_state_dict", "model", "net"])
def test_wrappers_and_prefixes_are_taken_off(tmp_path: Path, prefix: str, key: str | None) -> None:
    source, target = Masked(), Masked()
    source.alpha.data[:] = MASK
    pi_bench.load_weights(target, saved(tmp_path / "c.pt", source, prefix, key), masks="*alpha")
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in target.state_dict().items())


def test_masks_that_the_module_lacks_mask_its_relus(tmp_path: Path) -> None:
    module = plain()
    path = saved(tmp_path / "c.pt", module, "module.", **{"1__mask_": MASK, "2__1__mask_": MASK[None] == 0})
    pi_bench.load_weights(module, path, masks="*.mask_")
    x = torch.randn(2, 1, 4, 4)
    first = module[0](x)
    torch.testing.assert_close(module[1](first), torch.where(MASK == 1, first.relu(), first))
    graph = lower(module, x)
    counts = [int(graph.masks[node.mask].sum()) for node in graph.nodes if getattr(node, "mask", None)]
    assert counts == [4, 4] and graph.relu_count == 8
    assert [node.name for node in graph.nodes if getattr(node, "mask", None)] == [
        "1.masked_relu",
        "2.1.masked_relu",
    ]


def test_a_threshold_makes_masks_binary(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.pt", plain(), **{"1__mask": MASK * 0.4 + 0.2, "2__1__mask": MASK})
    module = plain()
    pi_bench.load_weights(module, path, masks="*.mask", threshold=0.5)
    assert torch.equal(module[1].mask, MASK == 1) and torch.equal(module[2][1].mask, MASK == 1)
    with pytest.raises(
        ModelError, match=r"'1\.mask' .*not binary: 8 of 8 .*between 0\.2 and 0\.6.*threshold"
    ):
        pi_bench.load_weights(plain(), path, masks="*.mask")


def test_masks_that_fit_nothing_are_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.pt", plain(), **{"2__0__mask": MASK})
    for pattern, message in [
        ("*.alpha", r"no tensor .* like '\*\.alpha'; it has 0\.weight, 0\.bias, 2\.0\.weight and 2 more"),
        ("*.mask", r"'2\.0\.mask' .* belongs to no ReLU: '2\.0' is a Conv2d; .* ReLUs are 1, 2\.1$"),
    ]:
        with pytest.raises(ModelError, match=message):
            pi_bench.load_weights(plain(), path, masks=pattern)
    path = saved(tmp_path / "c.pt", plain(), **{"9__mask": MASK})
    with pytest.raises(ModelError, match="'9' is no module"):
        pi_bench.load_weights(plain(), path, masks="*.mask")
    with pytest.raises(ModelError, match=r"do not fit the module: unexpected: 9\.mask; build the module"):
        pi_bench.load_weights(plain(), path)


def test_what_is_pickled_is_not_run(tmp_path: Path) -> None:
    torch.save(plain(), tmp_path / "c.pt")
    with pytest.raises(ModelError, match="nothing of it was run"):
        pi_bench.load_weights(plain(), tmp_path / "c.pt")
