"""Fidelity: how often and how closely the integer network answers as the float network does."""

from pi_bench.fidelity.fidelity import Fidelity, FidelityGoal
from pi_bench.fidelity.measurement import measure_fidelity

__all__ = ["Fidelity", "FidelityGoal", "measure_fidelity"]
