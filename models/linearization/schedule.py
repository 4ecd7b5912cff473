"""The lasso coefficient of Algorithm 1, which grows when the number of ReLUs does not fall."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class LassoSchedule:
    """The state of the lasso coefficient between two epochs.

    Attributes:
        coefficient: the coefficient of the next epoch.
        growth: the factor of its growth.
        lowest_count: the fewest ReLUs after any epoch so far.

    >>> schedule = LassoSchedule(coefficient=1.0, growth=2.0, lowest_count=100)
    >>> schedule.after(90).coefficient, schedule.after(90).after(95).coefficient
    (1.0, 2.0)
    """

    coefficient: float
    growth: float
    lowest_count: int

    def after(self, count: int) -> LassoSchedule:
        """Returns the schedule after an epoch that left `count` ReLUs.

        Algorithm 1 says "not decreased". Like the published code, this compares `count` with the lowest count
        of all epochs.
        """
        if count < self.lowest_count:
            return replace(self, lowest_count=count)
        return replace(self, coefficient=self.coefficient * self.growth)
