"""The outputs of single layers in the last forward pass of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def layer_outputs(network: nn.Module, paths: Iterable[str]) -> Iterator[dict[str, Tensor]]:
    """Yields a dictionary that holds, after each forward pass, the outputs of the layers at `paths`.

    >>> import torch
    >>> network = nn.Sequential(nn.ReLU())
    >>> with layer_outputs(network, ["0"]) as outputs:
    ...     _ = network(torch.tensor([-1.0, 2.0]))
    >>> outputs["0"]
    tensor([0., 2.])
    """
    found: dict[str, Tensor] = {}

    def note(path: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(part: nn.Module, inputs: object, output: Tensor) -> None:
            found[path] = output

        return hook

    hooks = [network.get_submodule(path).register_forward_hook(note(path)) for path in paths]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
