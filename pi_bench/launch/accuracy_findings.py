"""Holds the answers that `pi-bench accuracy` compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pi_bench.launch.accuracy import Comparison
from pi_bench.launch.private_accuracy import PrivateAnswers
from pi_bench.launch.remedies import Remedy
from pi_bench.metrics.machine_use import MachineUse


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyFindings:
    """Holds the answers of all networks, and those of private runs and of remedies where they were wanted.

    Attributes:
        machine_use: the state of the machine during the private runs.
        interruption: the exit code if Ctrl-C or SIGTERM left images out of one of the parts, else None.

    ```python
    def has_all_images(findings: AccuracyFindings) -> bool:
        return findings.interruption is None
    ```
    """

    comparison: Comparison
    private: PrivateAnswers | None = None
    remedies: Sequence[Remedy] | None = None
    interruption: int | None = None
    machine_use: MachineUse = field(default_factory=MachineUse)
