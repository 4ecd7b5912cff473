"""Predicts an inference: plays a protocol's script on measured costs and an emulated link."""
