"""One connection of one party: agreement on program and protocol, then messages and spans."""

from pi_bench.session.phase_record import Phase, PhaseRecord
from pi_bench.session.session import Session

__all__ = ["Phase", "PhaseRecord", "Session"]
