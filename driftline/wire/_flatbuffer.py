"""Minimal FlatBuffers reader for Arrow's metadata in untrusted bytes.

Layout (flatbuffers.dev, "Internals"): offset 0 holds the offset of the root table; a table begins
with a signed offset back to its vtable; the vtable has, from byte 4, two bytes for each field: its
offset in the table, 0 if the field is absent. Tables, strings and vectors are reached by unsigned
offsets forward; a vector and a string begin with their length.

Every offset is checked against the bounds of the buffer, and the readers of a message follow each
field once, so that malformed bytes neither crash nor loop.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Self

from driftline.errors import InvalidBatch

__all__ = ["View"]

_PAIR = struct.Struct("<qq")


class View:
    """One table in a buffer. Fields are numbered from 0 in the order of the schema (.fbs file).

    Every method raises ``InvalidBatch`` if it would read outside the buffer.
    """

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._table = position
        # The vtable's first u16 is its own size, the second the size of the table (not needed).
        vtable = position - self._unpack("<i", position)
        size = self._unpack("<H", vtable)
        if vtable < 0 or size % 2 or vtable + size > len(data):
            raise InvalidBatch("expected FlatBuffers metadata: a vtable lies outside the buffer")
        self._offsets = struct.unpack_from(f"<{size // 2}H", data, vtable)[2:]

    @classmethod
    def root(cls, data: bytes) -> Self:
        """Return the root table of the buffer."""
        return cls(data, _unpacked("<I", data, 0))

    def scalar(self, number: int, form: str, default: int = 0) -> int:
        """Return a number in the ``struct`` format ``form``; ``default`` if the field is absent."""
        position = self._position(number)
        return self._unpack(form, position) if position else default

    def has(self, number: int) -> bool:
        """Report whether a field is present."""
        return bool(self._position(number))

    def table(self, number: int) -> View:
        """Return the table that a field refers to; raise ``InvalidBatch`` if the field is absent."""
        return View(self._data, self._follow(number))

    def text(self, number: int) -> str:
        """Return a string; "" if the field is absent.

        Bytes that are not UTF-8 become backslash escapes, which match no known name.
        """
        if not self.has(number):
            return ""
        start = self._follow(number)
        length = self._unpack("<I", start)
        return self._bytes(start + 4, length).decode(errors="backslashreplace")

    def tables(self, number: int, most: int) -> Iterator[View]:
        """Yield the tables of a vector; raise ``InvalidBatch`` if there are more than ``most``."""
        for position in self._items(number, size=4, most=most):
            yield View(self._data, position + self._unpack("<I", position))

    def pairs(self, number: int, most: int) -> list[tuple[int, int]]:
        """Return a vector of structs of two 64-bit integers (FieldNode, Buffer); at most ``most`` items."""
        return [_PAIR.unpack_from(self._data, at) for at in self._items(number, size=_PAIR.size, most=most)]

    def count(self, number: int) -> int:
        """Return the length that a vector claims to have, unchecked; 0 if the field is absent."""
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
            raise InvalidBatch("expected FlatBuffers metadata: a text lies outside the buffer")
        return self._data[start : start + length]

    def _unpack(self, form: str, position: int) -> int:
        return _unpacked(form, self._data, position)


# ``unpack_from`` reads a negative position from the end of the buffer, so refuse it first.
def _unpacked(form: str, data: bytes, position: int) -> int:
    if position < 0:
        raise InvalidBatch("expected FlatBuffers metadata: an offset lies before the buffer")
    try:
        found: tuple[Any, ...] = struct.unpack_from(form, data, position)
    except struct.error as error:
        raise InvalidBatch("expected FlatBuffers metadata: an offset lies behind the buffer") from error
    return int(found[0])
