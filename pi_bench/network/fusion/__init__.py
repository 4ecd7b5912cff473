"""Fuses linear layers without activations between them into fewer and larger operators, exactly."""

from pi_bench.network.fusion.cost_table import ONE_MACHINE, Cost, CostTable
from pi_bench.network.fusion.fusion import Fusion, fuse_keeping, fuse_linear

__all__ = ["ONE_MACHINE", "Cost", "CostTable", "Fusion", "fuse_keeping", "fuse_linear"]
