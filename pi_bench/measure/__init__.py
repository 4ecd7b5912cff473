"""Clocks, spans, memory and the record of the machine: how the figures come about."""
