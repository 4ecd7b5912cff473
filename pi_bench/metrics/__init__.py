"""Measures time, bytes, memory and the costs of primitives, and describes the machine."""
