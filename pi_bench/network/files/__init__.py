"""Reads and writes model files and checkpoints, untrusted ones too."""
