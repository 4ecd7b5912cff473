"""Networks from files of other programs, of which nothing is run.

A file becomes a `ForeignModule`, a torch module that applies operators of a list, one after the other, and
enters as any other module does.
"""
