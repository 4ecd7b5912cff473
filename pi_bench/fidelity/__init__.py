"""Fidelity: how often and how closely the integer network answers as the float network does."""

from pi_bench.fidelity.fidelity import Fidelity, FidelityGoal
from pi_bench.fidelity.measurement import measure_fidelity
from pi_bench.fidelity.notes import fidelity_notes, is_of_program, noted_fidelity

__all__ = [
    "Fidelity",
    "FidelityGoal",
    "fidelity_notes",
    "is_of_program",
    "measure_fidelity",
    "noted_fidelity",
]
