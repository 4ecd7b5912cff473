"""The commands that README.md, CONTRIBUTING.md and docs/ show: collected, and run as a reader would.

collection   finds the commands in fenced blocks, with the substitutions that a comment above a block names
exceptions   the commands that are not run, each with the reason (exceptions.toml)
workspace    makes the files that the documents take for granted: small networks, images, kept runs
runs         runs the commands of one document in a folder of its own
summary      counts what ran and failed in each document, and names what was left out

`nox -s doc-commands` runs `python -m tests.shown_commands`. `tests/unit/test_shown_commands.py` checks in
seconds that every command is either run or excepted, and that its arguments are accepted.
"""
