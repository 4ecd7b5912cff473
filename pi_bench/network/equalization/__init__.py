"""Moves positive factors between layers and their readers, so that fixed point serves all channels."""

from pi_bench.network.equalization.equalization import equalize as equalize
