"""Offsets outside the buffer are refused."""

from __future__ import annotations

import struct

import pytest

from driftline.errors import InvalidBatch
from driftline.wire._flatbuffer import View

# Root offset 12; vtable at 4 (size 8, table size 8, field 0 at 4); table at 12 -> vtable; value 7.
TABLE = struct.pack("<IHHHHiI", 12, 8, 8, 4, 0, 8, 7)


def test_absent_field_has_its_default() -> None:
    view = View.root(TABLE)

    assert (view.scalar(0, "<I"), view.scalar(1, "<I", 5), view.scalar(9, "<I")) == (7, 5, 0)


@pytest.mark.parametrize("offset", [4, 1000, 0xFFFFFFFF])
def test_root_that_is_not_a_table_is_refused(offset: int) -> None:
    with pytest.raises(InvalidBatch):
        View.root(struct.pack("<I", offset) + TABLE[4:]).text(0)


@pytest.mark.parametrize("back", [-1000, 1000, -(2**31), 2**31 - 1])
def test_vtable_outside_the_buffer_is_refused(back: int) -> None:
    with pytest.raises(InvalidBatch):
        View.root(TABLE[:12] + struct.pack("<iI", back, 7))


def test_a_text_longer_than_the_buffer_is_refused() -> None:
    data = TABLE[:16] + struct.pack("<II", 4, 1000)
    with pytest.raises(InvalidBatch, match="a text lies outside"):
        View.root(data).text(0)


def test_vector_beyond_the_buffer_or_the_limit_is_refused() -> None:
    data = TABLE[:16] + struct.pack("<II", 4, 3)
    for most in (2, 3):
        with pytest.raises(InvalidBatch, match=f"at most {most} items, got 3"):
            View.root(data).pairs(0, most)
