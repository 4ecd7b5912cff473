"""What stands where a network of the literature has a ReLU."""

from __future__ import annotations

from torch import nn


def activation(kept: bool) -> nn.Module:
    """A ReLU, or an identity in its place, so that names of weights do not depend on what is kept."""
    return nn.ReLU() if kept else nn.Identity()
