"""Elements in groups of lanes, and slices of groups: the units in which kernels and messages work."""

from __future__ import annotations

import itertools

from pi_bench.crypto.symmetric import LANES

OFFLINE_SLICE_OTS = 1 << 17
"""OTs that are extended together."""


class LaneGroups:
    """`count` elements, padded to whole groups of `LANES`. A base class of jobs."""

    count: int

    @property
    def group_count(self) -> int:
        return -(-self.count // LANES)

    @property
    def padded_count(self) -> int:
        return self.group_count * LANES

    def elements(self, groups: range) -> range:
        """The elements of a range of lane groups, padding included."""
        return range(groups.start * LANES, groups.stop * LANES)

    def real_elements(self, groups: range) -> range:
        """The same without padding: the words that are sent."""
        return range(groups.start * LANES, min(groups.stop * LANES, self.count))


def slices(group_count: int, groups_per_slice: int) -> list[range]:
    """Nearly equal ranges of at most `groups_per_slice` groups."""
    slice_count = max(1, -(-group_count // groups_per_slice))
    bounds = [group_count * i // slice_count for i in range(slice_count + 1)]
    return [range(a, b) for a, b in itertools.pairwise(bounds)]
