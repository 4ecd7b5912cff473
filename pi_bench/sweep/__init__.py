"""Measures many networks under many settings: one cell per combination, each result kept at once.

cells       the combinations, and the networks
folder      the folder of a sweep: its definition, its results, its failures, its models
running     measures the cells that are not finished
time_left   estimates the time that the other cells take
"""

from __future__ import annotations

from pi_bench.sweep.cells import Network, SweepCell, cells_of
from pi_bench.sweep.definition import Sweep
from pi_bench.sweep.folder import SweepFolder
from pi_bench.sweep.running import Outcome, run_sweep
from pi_bench.sweep.time_left import TimeLeft

__all__ = ["Network", "Outcome", "Sweep", "SweepCell", "SweepFolder", "TimeLeft", "cells_of", "run_sweep"]
