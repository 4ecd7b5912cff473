"""Starts and leads the two parties as processes, and checks their results."""
