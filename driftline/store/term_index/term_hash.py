"""Hashes of the terms of many texts at once; what a term is, ``driftline.kql.text.terms`` says.

A term's hash is a polynomial over its bytes (modulo 2^64, letters in lower case), well mixed. Whoever
makes terms that collide makes hunts for them read more, no more than that.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["term_hash", "term_hashes"]

Hashes = npt.NDArray[np.uint64]

_CHUNK_BYTES = 1 << 18  # fits into a processor's cache
_MULTIPLIER = 0x9E3779B97F4A7C15
_POWERS: Hashes = np.cumprod(np.full(1 << 16, _MULTIPLIER, np.uint64), dtype=np.uint64)


# What a byte counts for: nothing, if it parts terms.
def _code(byte: int) -> int:
    letter = chr(byte).lower() if byte < 0x80 else chr(byte)
    return ord(letter) if byte >= 0x80 or letter.isalnum() else 0


_CODES = np.array([_code(byte) for byte in range(256)], np.uint64)
_IN_TERM = _CODES != 0


def term_hashes(texts: pa.Array[Any]) -> Iterator[Hashes]:
    """Give the hashes of all terms of some texts (``pa.string``), some texts at a time."""
    _, offsets, data = texts.buffers()
    if offsets is None or data is None:
        return
    ends = np.frombuffer(memoryview(offsets), np.int32)[texts.offset : texts.offset + len(texts) + 1]
    every = np.frombuffer(memoryview(data), np.uint8)
    first = 0
    while first < len(texts):
        last = max(int(np.searchsorted(ends, int(ends[first]) + _CHUNK_BYTES, "right")) - 1, first + 1)
        yield _hashes(every[ends[first] : ends[last]], ends[first:last] - ends[first])
        first = last


@functools.lru_cache(maxsize=4096)
def term_hash(term: str) -> Hashes:
    """Give the hash of one term, as an array of one."""
    (found,) = term_hashes(pa.array([term], pa.string()))
    return found


def _hashes(data: npt.NDArray[np.uint8], begins: npt.NDArray[np.int32]) -> Hashes:
    inside = _IN_TERM[data]
    first = np.zeros(len(data) + 1, bool)  # an empty text may begin after the last byte
    first[begins] = True
    first[1:-1] |= ~inside[:-1]
    at = np.flatnonzero(inside & first[:-1]).astype(np.int32)
    if not len(at):
        return np.empty(0, np.uint64)
    position = np.arange(at[0], len(data), dtype=np.int32) - np.repeat(at, np.diff(at, append=np.int32(len(data))))
    values = _CODES[data[at[0] :]] * _POWERS[position & (len(_POWERS) - 1)]
    return _mixed(np.add.reduceat(values, at - at[0]))


# The finalizer of splitmix64 (https://prng.di.unimi.it/splitmix64.c).
def _mixed(hashes: Hashes) -> Hashes:
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        hashes = (hashes ^ (hashes >> np.uint64(shift))) * np.uint64(factor)
    return hashes ^ (hashes >> np.uint64(31))
