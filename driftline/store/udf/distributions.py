"""The beta distribution, and Student's t by it; null of nothing, NaN beyond where they are defined."""

from __future__ import annotations

import math

__all__ = ["beta_cdf", "beta_inv", "beta_pdf", "welch_test"]

_LARGEST = 10_000.0  # Kusto's limit of both parameters
_TINY = 1e-300
_STEPS = 2_000  # the fraction needs some square root of the parameters


def beta_cdf(x: float | None, alpha: float | None, beta: float | None) -> float | None:
    """Give the probability of at most ``x``."""
    if x is None or alpha is None or beta is None:
        return None
    inside = 0 <= x <= 1 and 0 < alpha <= _LARGEST and 0 < beta <= _LARGEST
    return _regularized(x, alpha, beta) if inside else math.nan


def beta_pdf(x: float | None, alpha: float | None, beta: float | None) -> float | None:
    """Give the density at ``x``, which lies between 0 and 1."""
    if x is None or alpha is None or beta is None:
        return None
    if not (0 < x < 1 and 0 < alpha < math.inf and 0 < beta < math.inf):
        return math.nan
    try:
        return math.exp((alpha - 1) * math.log(x) + (beta - 1) * math.log1p(-x) - _log_beta(alpha, beta))
    except OverflowError:
        return math.nan


def beta_inv(probability: float | None, alpha: float | None, beta: float | None) -> float | None:
    """Give the value with so much probability below it; null for a probability that is none."""
    if probability is None or alpha is None or beta is None or not 0 < probability <= 1:
        return None
    if not (0 < alpha <= _LARGEST and 0 < beta <= _LARGEST):
        return math.nan
    if probability == 1:
        return 1.0
    low, high = 0.0, 1.0
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
    """Give the chance that two samples, each of a mean, a variance and a count, are of one mean."""
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
    freedom = 1 / (share**2 / (count_1 - 1) + (1 - share) ** 2 / (count_2 - 1))
    return _regularized(freedom / (freedom + square), freedom / 2, 0.5)


def _log_beta(alpha: float, beta: float) -> float:
    return math.lgamma(alpha) + math.lgamma(beta) - math.lgamma(alpha + beta)


def _regularized(x: float, alpha: float, beta: float) -> float:
    """Give the regularized incomplete beta function, by the side on which its fraction converges."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(alpha * math.log(x) + beta * math.log1p(-x) - _log_beta(alpha, beta))
    if x < (alpha + 1) / (alpha + beta + 2):
        return front * _fraction(x, alpha, beta) / alpha
    return 1 - front * _fraction(1 - x, beta, alpha) / beta


def _fraction(x: float, a: float, b: float) -> float:
    """Give the continued fraction of the incomplete beta function, by Lentz's way (DLMF 8.17.22)."""
    upper, lower = 1.0, 1 / _apart(1 - (a + b) * x / (a + 1))
    found = lower
    for step in range(1, _STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for part in (even, odd):
            lower = 1 / _apart(1 + part * lower)
            upper = _apart(1 + part / upper)
            found *= upper * lower
        if abs(upper * lower - 1) < 1e-16:
            break
    return found


def _apart(value: float) -> float:
    """Keep a divisor apart from zero."""
    return value if abs(value) > _TINY else _TINY
