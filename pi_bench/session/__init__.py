"""One connection of one party: agreement on what runs, then messages and spans."""

from pi_bench.session.session import Phase, PhaseRecord, Session

__all__ = ["Phase", "PhaseRecord", "Session"]
