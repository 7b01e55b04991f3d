"""Split-block Bloom filters over 64-bit hashes, laid out as in Parquet.

https://parquet.apache.org/docs/file-format/bloomfilter/. A filter may report a hash that it does not
contain, one time in a hundred; it always reports those that it contains.

A filter is a sequence of blocks of eight 32-bit words. The upper half of a hash chooses the block,
the lower half one bit in each of the block's words.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["build_filter", "may_contain"]

Hashes = npt.NDArray[np.uint64]

# With 10.5 bits for each distinct hash, one answer in a hundred is a false positive.
_BITS_PER_HASH = 10.5
_BLOCK_WORDS = 8
# The salts of the Parquet specification.
_SALTS = np.array(
    [0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31], np.uint32
)


def build_filter(hashes: Hashes) -> bytes:
    """Return the filter of some distinct hashes, as bytes.

    Its size grows with their number; a filter of no hashes has one empty block.
    """
    blocks = max(1, math.ceil(len(hashes) * _BITS_PER_HASH / (32 * _BLOCK_WORDS)))
    words = np.zeros(blocks * _BLOCK_WORDS, np.uint32)
    at, masks = _places(hashes, blocks)
    np.bitwise_or.at(words, at, masks)
    return words.tobytes()


def may_contain(kept: memoryview, hashes: Hashes) -> bool:
    """Return whether a filter may contain all of some hashes.

    Reads only the words that the hashes choose, so that a mapped file stays mostly unread. An empty
    filter contains nothing.
    """
    words = np.frombuffer(kept, np.uint32)
    if not len(words):
        return False
    at, masks = _places(hashes, len(words) // _BLOCK_WORDS)
    return bool(np.all(words[at] & masks))


# The specification's multiplication instead of a remainder: block = (upper half * blocks) >> 32. Each word's bit is the
# upper five bits of the lower half times the word's salt.
def _places(hashes: Hashes, blocks: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    block = ((hashes >> np.uint64(32)) * np.uint64(blocks)) >> np.uint64(32)
    at = block.astype(np.int64)[:, None] * _BLOCK_WORDS + np.arange(_BLOCK_WORDS)
    bits = (hashes.astype(np.uint32)[:, None] * _SALTS) >> np.uint32(27)
    return at, np.uint32(1) << bits
