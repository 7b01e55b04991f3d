"""The beta distribution, and Student's t distribution computed from it, for Kusto's functions.

A missing argument gives None, an argument outside of a function's domain NaN.
"""

from __future__ import annotations

import math

__all__ = ["beta_cdf", "beta_inv", "beta_pdf", "welch_test"]

_LARGEST = 10_000.0  # Kusto's limit of alpha and beta
_TINY = 1e-300
_STEPS = 2_000  # the fraction needs about the square root of the parameters


def beta_cdf(x: float | None, alpha: float | None, beta: float | None) -> float | None:
    """Return the probability of a value of at most ``x`` (https://learn.microsoft.com/kusto/query/beta-cdf-function)."""
    if x is None or alpha is None or beta is None:
        return None
    inside = 0 <= x <= 1 and 0 < alpha <= _LARGEST and 0 < beta <= _LARGEST
    return _regularized(x, alpha, beta) if inside else math.nan


def beta_pdf(x: float | None, alpha: float | None, beta: float | None) -> float | None:
    """Return the density at ``x``, between 0 and 1 (https://learn.microsoft.com/kusto/query/beta-pdf-function)."""
    if x is None or alpha is None or beta is None:
        return None
    if not (0 < x < 1 and 0 < alpha < math.inf and 0 < beta < math.inf):
        return math.nan
    try:
        return math.exp((alpha - 1) * math.log(x) + (beta - 1) * math.log1p(-x) - _log_beta(alpha, beta))
    except OverflowError:
        return math.nan


def beta_inv(probability: float | None, alpha: float | None, beta: float | None) -> float | None:
    """Return the value below which the distribution has that probability, by bisection.

    None for a probability that is not above 0 and at most 1.
    https://learn.microsoft.com/kusto/query/beta-inv-function
    """
    if probability is None or alpha is None or beta is None or not 0 < probability <= 1:
        return None
    if not (0 < alpha <= _LARGEST and 0 < beta <= _LARGEST):
        return math.nan
    if probability == 1:
        return 1.0
    low, high = 0.0, 1.0
    # Until no number lies between the two ends: at most some thousand steps in double precision.
    while low < (middle := (low + high) / 2) < high:
        if _regularized(middle, alpha, beta) < probability:
            low = middle
        else:
            high = middle
    return high


def welch_test(
    mean_1: float | None,
    variance_1: float | None,
    count_1: float | None,
    mean_2: float | None,
    variance_2: float | None,
    count_2: float | None,
) -> float | None:
    """Return the probability (p-value) that two samples come from distributions of the same mean.

    Each sample is given by mean, variance and count. The test does not assume equal variances (Welch's t-test).
    https://learn.microsoft.com/kusto/query/welch-test-function
    """
    if mean_1 is None or variance_1 is None or count_1 is None:
        return None
    if mean_2 is None or variance_2 is None or count_2 is None:
        return None
    if min(count_1, count_2) <= 1 or min(variance_1, variance_2) < 0:
        return math.nan
    return _two_sided((mean_1 - mean_2, variance_1 / count_1, variance_2 / count_2), count_1, count_2)


def _two_sided(sample: tuple[float, float, float], count_1: float, count_2: float) -> float:
    difference, part_1, part_2 = sample
    if not 0 < part_1 + part_2 < math.inf:
        return math.nan
    square = difference * difference / (part_1 + part_2)
    share = part_1 / (part_1 + part_2)
    # Degrees of freedom by the Welch-Satterthwaite equation, with each sample's share of the variance.
    freedom = 1 / (share**2 / (count_1 - 1) + (1 - share) ** 2 / (count_2 - 1))
    # The two tails of Student's t together are I_x(v/2, 1/2) with x = v / (v + t²).
    return _regularized(freedom / (freedom + square), freedom / 2, 0.5)


def _log_beta(alpha: float, beta: float) -> float:
    return math.lgamma(alpha) + math.lgamma(beta) - math.lgamma(alpha + beta)


def _regularized(x: float, alpha: float, beta: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b) (https://dlmf.nist.gov/8.17).

    By symmetry, on the side on which the continued fraction converges fast.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(alpha * math.log(x) + beta * math.log1p(-x) - _log_beta(alpha, beta))
    if x < (alpha + 1) / (alpha + beta + 2):
        return front * _fraction(x, alpha, beta) / alpha
    return 1 - front * _fraction(1 - x, beta, alpha) / beta


def _fraction(x: float, a: float, b: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method (https://dlmf.nist.gov/8.17.E22)."""
    upper, lower = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    found = lower
    for step in range(1, _STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for part in (even, odd):
            lower = 1 / _nonzero(1 + part * lower)
            upper = _nonzero(1 + part / upper)
            found *= upper * lower
        if abs(upper * lower - 1) < 1e-16:
            break
    return found


def _nonzero(value: float) -> float:
    """Return a divisor that is not zero."""
    return value if abs(value) > _TINY else _TINY
