"""Confidence intervals, all at 95%, for a proportion and for the difference of two.

Both are Newcombe's recommended ones, without continuity correction, because they hold for small numbers and for rates
near 0 and 1, where the usual plus-minus formula leaves the range from 0 to 1.
"""

from __future__ import annotations

from math import sqrt

Z = 1.959963984540054  # the 97.5% point of the normal distribution

Interval = tuple[float, float]


def wilson(part: int, whole: int) -> Interval:
    """The score interval of `part` of `whole` (Wilson, J Am Stat Assoc 1927;22:209-212; Newcombe 1998a, method 3).

    Raises ValueError where `whole` is not positive or `part` not within it.
    """
    if not 0 <= part <= whole or whole < 1:
        raise ValueError(f"not a proportion: {part} of {whole}")
    share = part / whole
    spread = Z * sqrt(share * (1 - share) / whole + Z * Z / (4 * whole * whole))
    center = share + Z * Z / (2 * whole)
    scale = 1 + Z * Z / whole
    # rounding must not push an end past the share itself, where it is 0 or 1
    low = 0.0 if part == 0 else (center - spread) / scale
    high = 1.0 if part == whole else (center + spread) / scale
    return low, high


def newcombe(part: int, whole: int, other_part: int, other_whole: int) -> Interval:
    """The interval of the first proportion minus the second (Newcombe, Stat Med 1998;17:873-890, method 10).

    Raises ValueError as `wilson` does.
    """
    share, other = part / max(whole, 1), other_part / max(other_whole, 1)
    low, high = wilson(part, whole)
    other_low, other_high = wilson(other_part, other_whole)
    down = sqrt((share - low) ** 2 + (other_high - other) ** 2)
    up = sqrt((high - share) ** 2 + (other - other_low) ** 2)
    return share - other - down, share - other + up
