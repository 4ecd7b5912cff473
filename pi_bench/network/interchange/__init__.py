"""Reads networks from files of other programs; nothing in such a file is run.

A file becomes a `ForeignModule`, a torch module that applies operators of a fixed list, one after the other.
From there on it is treated as any other module.
"""
