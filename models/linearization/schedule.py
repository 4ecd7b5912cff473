"""The lasso coefficient of Algorithm 1: it grows where the number of ReLUs does not fall."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class LassoSchedule:
    """`coefficient` of the next epoch; `lowest_count`: the fewest ReLUs after any epoch so far."""

    coefficient: float
    growth: float
    lowest_count: int

    def after(self, count: int) -> LassoSchedule:
        """After an epoch that left `count` ReLUs.

        Algorithm 1 says "not decreased"; the published code compares with the lowest count of all
        epochs, as this does.
        """
        if count < self.lowest_count:
            return replace(self, lowest_count=count)
        return replace(self, coefficient=self.coefficient * self.growth)
