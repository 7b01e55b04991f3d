"""Functions on series that neither engine has: Fourier transforms, periods, polynomials.

A series is a JSON array of numbers, with null for a missing one. Functions with several results return
a JSON array of them. They return None for a series that is none, is empty or longer than 131,072
numbers.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["find_periods", "fit_polynomial", "fourier_transform", "validate_periods"]

Series = npt.NDArray[np.float64]

_CHANCE = 0.01  # of noise to exceed the threshold of the periodogram
_SHORTEST = 4  # shortest period, in numbers of the series
_MOST_VALUES = 1 << 17
_HIGHEST_DEGREE = 10


def fourier_transform(real: str | None, imaginary: str | None, inverse: bool) -> str | None:
    """Return the real and the imaginary part of a series' Fourier transform, or of the inverse one.

    ``imaginary`` may be None or empty for a real series; otherwise it is as long as ``real``.
    https://learn.microsoft.com/kusto/query/series-fft-function
    """
    values = _series(real)
    other = _series(imaginary) if imaginary else None
    if values is None or (imaginary and (other is None or len(other) != len(values))):
        return None
    points = values if other is None else values + 1j * other
    found = np.fft.ifft(points) if inverse else np.fft.fft(points)
    return _to_json(found.real, found.imag)


def find_periods(text: str | None, least: float | None, most: float | None, number: int | None) -> str | None:
    """Find the periods of a series between two lengths; return lengths and scores from 0 to 1, the best first.

    A period is a length at which the periodogram exceeds noise (with a chance of one in a hundred) and the
    autocorrelation has a peak (M. Vlachos, P. Yu, V. Castelli, On Periodicity Detection and Structural
    Periodic Similarity, 2005). ``number``, from 1 to 16, is the length of both arrays; missing periods are 0.
    https://learn.microsoft.com/kusto/query/series-periods-detect-function
    """
    values = _series(text)
    if values is None or number is None or not 0 < number <= 16:
        return None
    low, high = max(least or 0, _SHORTEST), min(most or 0, len(values) / 2)
    scores = _scores(values)
    found = {length for length in _peaks_near_hints(values, scores) if low <= length <= high}
    best = sorted(found, key=lambda length: -scores[length])[:number]
    padded = [0.0] * (number - len(best))
    return _to_json([*map(float, best), *padded], [*(round(float(scores[each]), 2) for each in best), *padded])


def validate_periods(text: str | None, lengths: str | None) -> str | None:
    """Return the lengths that are given, and the score of each as a period of the series, from 0 to 1.

    https://learn.microsoft.com/kusto/query/series-periods-validate-function
    """
    values, candidates = _series(text), _series(lengths)
    if values is None or candidates is None:
        return None
    scores = _scores(values)
    return _to_json(candidates, [_score_at(scores, length) for length in candidates])


def fit_polynomial(text: str | None, places: str | None, degree: int | None) -> str | None:
    """Fit a polynomial of a degree from 1 to 10 by least squares.

    ``places`` are the x values; None or empty for 0, 1, 2 …. Missing numbers are left out.
    Returns rsquare, coefficients (highest power first), variance, rvariance and the fitted values; None if there are
    no more numbers than the degree.
    https://learn.microsoft.com/kusto/query/series-fit-poly-function
    """
    y = _series(text)
    x = np.arange(len(y), dtype=float) if y is not None and not places else _series(places)
    if y is None or x is None or len(x) != len(y) or degree is None or not 0 < degree <= _HIGHEST_DEGREE:
        return None
    kept = np.isfinite(x) & np.isfinite(y)
    if kept.sum() <= degree:
        return None
    coefficients = np.polynomial.Polynomial.fit(x[kept], y[kept], degree).convert().coef[::-1]
    values = _polynomial(coefficients.tolist(), x)
    variance = float(np.var(y[kept], ddof=1))
    rest = float(np.sum((y - values)[kept] ** 2) / (kept.sum() - 1))
    rsquare = 1 - rest / variance if variance else 1.0
    return _to_json(rsquare, coefficients, variance, rest, values)


def _polynomial(coefficients: list[float], x: Series) -> Series:
    values = np.zeros(len(x))
    for coefficient in coefficients:
        values = values * x + coefficient
    return values


def _series(text: str | None) -> Series | None:
    try:
        values = json.loads(text or "null")
        if not isinstance(values, list) or not 0 < len(values) <= _MOST_VALUES:
            return None
        return np.array([math.nan if each is None else float(each) for each in values])
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None


def _to_json(*parts: Any) -> str:
    return json.dumps([_plain(part) for part in parts], separators=(",", ":"))


def _plain(part: Any) -> Any:
    if np.ndim(part) == 0:
        return float(part) if math.isfinite(part) else None
    return [float(each) if math.isfinite(each) else None for each in part]


def _centred(values: Series) -> Series:
    present = values[np.isfinite(values)]
    mean = float(present.mean()) if len(present) else 0.0
    return np.where(np.isfinite(values), values - mean, 0.0)


# The autocorrelation at each length up to half of the series, by the Wiener-Khinchin theorem from the power spectrum of
# the series padded with zeros. Long lengths overlap less, so their values are raised by the square root of the overlap
# only.
def _scores(values: Series) -> Series:
    centred = _centred(values)
    size = len(centred)
    spectrum = np.fft.rfft(centred, 2 * size)
    whole = np.fft.irfft(spectrum * spectrum.conj())[: size // 2 + 1]
    if whole[0] <= 0:
        return np.zeros(size // 2 + 1)
    found: Series = np.clip(whole / whole[0] * np.sqrt(size / (size - np.arange(size // 2 + 1))), 0, 1)
    return found


# Above what noise exceeds in one of 20 series of that length.
def _is_peak(scores: Series, length: int) -> bool:
    around = scores[max(length - 1, 0) : length + 2]
    noise = 1.96 / math.sqrt(2 * len(scores))
    return bool(scores[length] > noise and scores[length] == around.max())


def _score_at(scores: Series, length: float) -> float:
    if not math.isfinite(length) or not _SHORTEST <= length < len(scores):
        return 0.0
    place = round(length)
    return round(float(scores[place]), 2) if _is_peak(scores, place) else 0.0


def _peaks_near_hints(values: Series, scores: Series) -> set[int]:
    """Return the peaks of the autocorrelation near the lengths at which the periodogram exceeds noise.

    The periodogram knows a long period only roughly: its neighbours in frequency bound the search.
    """
    size = len(values)
    power = np.abs(np.fft.rfft(_centred(values))) ** 2
    noise = power[1:].mean() * -math.log(_CHANCE) if size > 1 else math.inf
    found = set()
    for place in (np.flatnonzero(power[1:] > noise) + 1).tolist():
        last = min(math.ceil(size / max(place - 1, 1)), len(scores) - 1)
        peaks = [at for at in range(math.floor(size / (place + 1)), last + 1) if _is_peak(scores, at)]
        if peaks:
            found.add(max(peaks, key=lambda at: float(scores[at])))
    return found
