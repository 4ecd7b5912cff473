"""Writes results as versioned JSON, and as tables on a terminal."""
