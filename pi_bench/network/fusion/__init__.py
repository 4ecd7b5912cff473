"""Linear layers without ReLUs between them, merged into fewer and larger operators."""

from pi_bench.network.fusion.fusion import Fusion, fuse_keeping, fuse_linear

__all__ = ["Fusion", "fuse_keeping", "fuse_linear"]
