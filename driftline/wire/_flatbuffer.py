"""Just enough of FlatBuffers to read Arrow's metadata from bytes that nobody vouches for.

Layout (flatbuffers.dev, "Internals"): at 0 an offset to the root table; at a table a signed
offset back to its vtable; in that, from byte 4, two bytes for each field, 0 if it is left out.
Tables, strings and vectors are reached by unsigned offsets forward; a vector and a string begin
with their length. Whatever the bytes say, reading ends: nothing is followed twice.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Self

from driftline.errors import InvalidBatch

__all__ = ["View"]

_PAIR = struct.Struct("<qq")


class View:
    """A table in a buffer; every reading is checked against the buffer's bounds."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._table = position
        vtable = position - self._unpack("<i", position)
        size = self._unpack("<H", vtable)
        if vtable < 0 or size % 2 or vtable + size > len(data):
            raise InvalidBatch("expected FlatBuffers metadata: a vtable lies outside")
        self._offsets = struct.unpack_from(f"<{size // 2}H", data, vtable)[2:]

    @classmethod
    def root(cls, data: bytes) -> Self:
        """Look at the root table."""
        return cls(data, _unpacked("<I", data, 0))

    def scalar(self, number: int, form: str, default: int = 0) -> int:
        """Read a number of the ``struct`` form."""
        position = self._position(number)
        return self._unpack(form, position) if position else default

    def has(self, number: int) -> bool:
        """Tell whether a field is there."""
        return bool(self._position(number))

    def table(self, number: int) -> View:
        """Follow a field to the table it names."""
        return View(self._data, self._follow(number))

    def text(self, number: int) -> str:
        """Read a string; bytes that are no UTF-8 show as such, and match no name."""
        if not self.has(number):
            return ""
        start = self._follow(number)
        length = self._unpack("<I", start)
        return self._bytes(start + 4, length).decode(errors="backslashreplace")

    def tables(self, number: int, most: int) -> Iterator[View]:
        """Go through a vector of at most so many tables."""
        for position in self._items(number, size=4, most=most):
            yield View(self._data, position + self._unpack("<I", position))

    def pairs(self, number: int, most: int) -> list[tuple[int, int]]:
        """Read a vector of structs of two 64-bit integers."""
        return [_PAIR.unpack_from(self._data, at) for at in self._items(number, size=_PAIR.size, most=most)]

    def count(self, number: int) -> int:
        """Tell how many items a vector says it has."""
        return self._unpack("<I", self._follow(number)) if self.has(number) else 0

    def _items(self, number: int, *, size: int, most: int) -> range:
        count = self.count(number)
        if not count:
            return range(0)
        start = self._follow(number) + 4
        if count > most or start + count * size > len(self._data):
            raise InvalidBatch(f"expected metadata with at most {most} items, got {count}")
        return range(start, start + count * size, size)

    def _position(self, number: int) -> int:
        offset = self._offsets[number] if number < len(self._offsets) else 0
        return self._table + offset if offset else 0

    def _follow(self, number: int) -> int:
        position = self._position(number)
        if not position:
            raise InvalidBatch("expected FlatBuffers metadata: a field is missing")
        return position + self._unpack("<I", position)

    def _bytes(self, start: int, length: int) -> bytes:
        if start + length > len(self._data):
            raise InvalidBatch("expected FlatBuffers metadata: a text lies outside")
        return self._data[start : start + length]

    def _unpack(self, form: str, position: int) -> int:
        return _unpacked(form, self._data, position)


# ``unpack_from`` would read a negative position from the end.
def _unpacked(form: str, data: bytes, position: int) -> int:
    if position < 0:
        raise InvalidBatch("expected FlatBuffers metadata: an offset lies before it")
    try:
        found: tuple[Any, ...] = struct.unpack_from(form, data, position)
    except struct.error as error:
        raise InvalidBatch("expected FlatBuffers metadata: an offset lies behind it") from error
    return int(found[0])
