"""Linear layers without ReLUs between them, merged into fewer and larger operators."""

from pi_bench.network.merging.merging import Merging, merge_keeping, merge_linear

__all__ = ["Merging", "merge_keeping", "merge_linear"]
