"""Split-block Bloom filters, as Parquet has them, over 64-bit hashes.

https://parquet.apache.org/docs/file-format/bloomfilter/. A filter may say that a hash is in it that
is not, one in a hundred times; never the opposite.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["build_filter", "may_contain"]

Hashes = npt.NDArray[np.uint64]

_BITS_PER_HASH = 10.5  # one in a hundred is wrong
_BLOCK_WORDS = 8
_SALTS = np.array(
    [0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31], np.uint32
)


def build_filter(hashes: Hashes) -> bytes:
    """Make the filter of some distinct hashes."""
    blocks = max(1, math.ceil(len(hashes) * _BITS_PER_HASH / (32 * _BLOCK_WORDS)))
    words = np.zeros(blocks * _BLOCK_WORDS, np.uint32)
    at, masks = _places(hashes, blocks)
    np.bitwise_or.at(words, at, masks)
    return words.tobytes()


def may_contain(kept: memoryview, hashes: Hashes) -> bool:
    """Tell whether all of some hashes may be in a filter; reads no more of it than that takes."""
    words = np.frombuffer(kept, np.uint32)
    if not len(words):
        return False
    at, masks = _places(hashes, len(words) // _BLOCK_WORDS)
    return bool(np.all(words[at] & masks))


# The words of a filter, and their bits, that a hash sets: one of each word of its block.
def _places(hashes: Hashes, blocks: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    block = ((hashes >> np.uint64(32)) * np.uint64(blocks)) >> np.uint64(32)
    at = block.astype(np.int64)[:, None] * _BLOCK_WORDS + np.arange(_BLOCK_WORDS)
    bits = (hashes.astype(np.uint32)[:, None] * _SALTS) >> np.uint32(27)
    return at, np.uint32(1) << bits
