"""The predicted seconds of the operators of Sphynx' cells, by which DARTS weighs expected time."""

from __future__ import annotations

from ..architectures.sphynx_space import SphynxSpace
from ..families.sphynx import INPUT_COUNT, NODE_COUNT, OPERATORS
from .architecture_sizes import ArchitectureSizes

_SKIPS = "skip 0, skip 1"


def cell_costs(space: SphynxSpace, sizes: ArchitectureSizes, width: int) -> dict[str, list[list[float]]]:
    """Returns the costs of operators by kind of cell: one row for the inputs of a cell, one for its nodes.

    A cost is the predicted seconds of the whole network of which one operator in each cell of the kind is
    exchanged and all others are skips, beyond those with the cheapest one. The costs of operators are taken
    to add up.

    Args:
        sizes: predicts the networks. Its objective is one of time.
        width: the width of these networks. At another one, the costs may have other ratios.

    ```python
    from pi_bench.models.reduction.objective import TimeObjective

    def costs(space: SphynxSpace, objective: TimeObjective) -> dict[str, list[list[float]]]:
        return cell_costs(space, ArchitectureSizes(space, objective), 16)
    ```
    """
    found = {}
    for kind in ("normal", "reduction") if space.reduction_count else ("normal",):
        seconds = []
        for source in (INPUT_COUNT - 1, INPUT_COUNT):  # node 1 reads an input, or node 0
            row = []
            for operator in OPERATORS:
                cell = [_SKIPS, f"skip 0, {operator} {source}", *[_SKIPS] * (NODE_COUNT - 2)]
                row.append(sizes.seconds(space.with_width(space.with_cells({kind: cell}), width)))
            seconds.append(row)
        least = min(map(min, seconds))
        found[kind] = [[one - least for one in row] for row in seconds]
    return found
