"""Predicts an inference: simulates a protocol's script on measured costs and an emulated link."""
