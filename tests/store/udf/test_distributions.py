"""The beta distribution and Welch's test, by their mathematical properties."""

from __future__ import annotations

import math

import pytest

from driftline.store.udf import distributions


@pytest.mark.parametrize("alpha", [0.5, 1, 3, 40, 9_999])
@pytest.mark.parametrize("beta", [0.5, 1, 3, 40, 9_999])
def test_both_tails_of_the_beta_distribution_sum_to_one(alpha: float, beta: float) -> None:
    for x in (0.001, 0.3, 0.5, 0.9):
        below, above = distributions.beta_cdf(x, alpha, beta), distributions.beta_cdf(1 - x, beta, alpha)

        assert below is not None
        assert above is not None
        assert below + above == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("probability", [1e-9, 0.1, 0.5, 0.999])
def test_inverse_gives_the_probability_back(probability: float) -> None:
    value = distributions.beta_inv(probability, 2.5, 7)

    assert distributions.beta_cdf(value, 2.5, 7) == pytest.approx(probability, rel=1e-12)


def test_density_is_the_slope_of_the_probability() -> None:
    above, below = distributions.beta_cdf(0.4001, 3, 5), distributions.beta_cdf(0.3999, 3, 5)

    assert above is not None
    assert below is not None
    assert (above - below) / 0.0002 == pytest.approx(distributions.beta_pdf(0.4, 3, 5), rel=1e-6)


@pytest.mark.parametrize("value", [-1e308, -1.0, 0.0, 1e-300, 1e308, math.inf, math.nan])
def test_extreme_arguments_give_a_number_nan_or_none(value: float) -> None:
    distributions.beta_cdf(value, value, value)
    distributions.beta_pdf(0.5, value, value)
    distributions.beta_inv(0.5, value, value)

    result = distributions.welch_test(value, value, value, 1, 1, 2)
    assert result is not None
    assert math.isnan(result) or 0 <= result <= 1
