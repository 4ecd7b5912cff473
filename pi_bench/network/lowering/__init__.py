"""Lowers a torch module to the float graph."""

from pi_bench.network.lowering.lowering import lower

__all__ = ["lower"]
