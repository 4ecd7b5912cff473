"""Groups of lanes, and slices of groups: the units in which kernels compute and messages are sent."""

from __future__ import annotations

import itertools
from functools import cached_property

from pi_bench.crypto.symmetric import LANES
from pi_bench.hybrid.ot_construction import SOFTSPOKEN, OtConstruction

OFFLINE_SLICE_OTS = 1 << 17
"""The number of OTs that are extended together."""


class LaneGroups:
    """Pads `count` elements to whole groups of `LANES`. It is a base class of jobs.

    >>> class Job(LaneGroups):
    ...     count = 40
    >>> Job().group_count, Job().padded_count, Job().elements(range(1, 2)), Job().real_elements(range(1, 2))
    (2, 64, range(32, 64), range(32, 40))
    """

    count: int
    construction: OtConstruction = SOFTSPOKEN
    """By which the job's OTs are extended."""

    def extension_bytes(self, ot_count: int) -> int:
        """Returns the size of the message by which `ot_count` OTs are chosen."""
        return self.construction.choice_bytes(ot_count)

    @cached_property
    def group_count(self) -> int:
        """The number of groups of lanes."""
        return -(-self.count // LANES)

    @cached_property
    def padded_count(self) -> int:
        """The number of elements with padding."""
        return self.group_count * LANES

    def elements(self, groups: range) -> range:
        """Returns the elements of a range of lane groups, with padding."""
        return range(groups.start * LANES, groups.stop * LANES)

    def real_elements(self, groups: range) -> range:
        """Returns the elements of a range of lane groups without padding. Only these are sent."""
        return range(groups.start * LANES, min(groups.stop * LANES, self.count))


def slices(group_count: int, groups_per_slice: int) -> list[range]:
    """Splits `group_count` groups into nearly equal ranges of at most `groups_per_slice` groups.

    >>> slices(10, 4)
    [range(0, 3), range(3, 6), range(6, 10)]
    """
    slice_count = max(1, -(-group_count // groups_per_slice))
    bounds = [group_count * i // slice_count for i in range(slice_count + 1)]
    return [range(a, b) for a, b in itertools.pairwise(bounds)]
