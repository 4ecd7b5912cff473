"""Defaults that commands and Python functions share. They import nothing, so that `--help` stays quick."""

TIMEOUT_S = 120.0
"""Seconds without progress after which a party gives up."""

RUNS = 5
"""Timed runs of a measurement."""

MAX_TIME_S = 120.0
"""Seconds after which a measurement repeats no more for the sake of a precision."""

POLL_S = 1e-3
"""Seconds for which a party that waits polls before it sleeps: longer than most waits within an inference."""

ROUNDS = 10
"""Rounds of a comparison, each with new processes."""

MOST_ROUNDS = 30
"""Rounds that a comparison has at most. It adds rounds as long as its interval is wide."""

MAX_AHEAD = 16
"""The most inferences that one offline phase prepares. It bounds the memory that a peer can ask for."""
