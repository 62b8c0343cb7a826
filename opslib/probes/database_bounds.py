"""What calls, mean, standard deviation, minimum and maximum prove about how many calls were slow.

pg_stat_statements keeps no percentiles, so a P95 cannot be read from it, and a formula that assumes a
distribution would invent one. What can be proven are bounds on the share of calls above a limit, for
whatever distribution has these figures:

* the one-sided Chebyshev (Cantelli) inequality: of values with mean m and standard deviation s, at most
  s²/(s²+k²) lie k or more above m, and at most s²/(s²+k²) lie k or more below it;
* Markov's inequality on the distance from the minimum;
* the mean and the mean square, which a share p at most as large as the maximum must be able to reach.

"P95 is at most the limit" means that at most 5 % of calls are above it, so an upper bound of 5 % proves
it, and a lower bound above 5 % disproves it. Between the two nothing is proven.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SLACK = 1e-9
"""Relative error allowed for in figures that went through floating point many million times."""


@dataclass(frozen=True)
class Times:
    """Execution times of one statement, in one unit; ``whole`` if maximum and minimum are of these calls only."""

    calls: int
    mean: float
    deviation: float
    least: float
    most: float
    whole: bool = True

    def above_at_most(self, limit: float) -> int:
        """Return how many calls at most took longer than ``limit``."""
        if self.most <= limit or self.calls == 0:
            return 0
        if self.mean >= limit:
            return self.calls
        gap, variance = limit - self.mean, self.deviation**2 * (1 + SLACK)
        share = variance / (variance + gap**2)
        if limit > self.least:
            share = min(share, (self.mean - self.least) / (limit - self.least))
        return min(self.calls, math.floor(share * self.calls * (1 + SLACK) + SLACK))

    def above_at_least(self, limit: float) -> int:
        """Return how many calls at least took longer than ``limit``."""
        if self.calls == 0 or self.most <= limit:
            return 0
        if self.least > limit:
            return self.calls
        share = 1 / self.calls if self.whole else 0.0
        square = self.mean**2 + self.deviation**2
        if self.most > limit:
            share = max(share, (square - limit**2) / (self.most**2 - limit**2))
        if self.mean > limit:
            gap, variance = self.mean - limit, self.deviation**2 * (1 + SLACK)
            share = max(share, gap**2 / (variance + gap**2), gap / (self.most - limit))
        return max(0, min(self.calls, math.ceil(share * self.calls * (1 - SLACK) - SLACK)))
