"""pi-bench: what private inference costs, per layer, per phase, per link."""

__version__ = "0.1.0"
