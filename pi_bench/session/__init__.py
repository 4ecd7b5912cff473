"""One connection of one party: agreement on program and protocol, then messages and spans."""

from pi_bench.session.session import Phase, PhaseRecord, Session

__all__ = ["Phase", "PhaseRecord", "Session"]
