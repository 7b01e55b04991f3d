"""Hashes of the terms of many texts at once; ``driftline.kql.text.terms`` defines a term.

A term's hash is a polynomial over its bytes modulo 2^64, with ASCII letters in lower case, then
mixed. It is no cryptographic hash: texts made to collide make hunts for their terms read more row
groups, and hide nothing. numpy computes the hashes of all terms of a chunk of texts together.
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
# The odd integer next to 2^64 divided by the golden ratio, as in Fibonacci hashing (Knuth, The Art of Computer
# Programming, vol. 3, section 6.4).
_MULTIPLIER = 0x9E3779B97F4A7C15
_POWERS: Hashes = np.cumprod(np.full(1 << 16, _MULTIPLIER, np.uint64), dtype=np.uint64)


# The value of a byte within a term; 0 for a byte that separates terms. Bytes beyond ASCII are parts of letters in
# UTF-8.
def _code(byte: int) -> int:
    letter = chr(byte).lower() if byte < 0x80 else chr(byte)
    return ord(letter) if byte >= 0x80 or letter.isalnum() else 0


_CODES = np.array([_code(byte) for byte in range(256)], np.uint64)
_IN_TERM = _CODES != 0


def term_hashes(texts: pa.Array[Any]) -> Iterator[Hashes]:
    """Yield the hashes of all terms of some texts (``pa.string``), chunk by chunk.

    Each array is one-dimensional, of ``uint64``. Texts without a term yield nothing or empty arrays.
    """
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
    """Return the hash of one term, as an array of one element."""
    (found,) = term_hashes(pa.array([term], pa.string()))
    return found


# ``at`` are the positions where terms begin. Each byte is weighted by the power of its position in its term, and the
# sums run from one beginning to the next; separators count as zero. Positions beyond 65,535 use the powers again.
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
