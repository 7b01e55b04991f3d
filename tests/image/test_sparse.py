import hashlib

import pytest

from driftline.errors import CorruptImage
from driftline.image import sparse, tar


def stream(data: bytes) -> tar.ChunkStream:
    return tar.ChunkStream(iter([data]))


def test_holes_are_zeros() -> None:
    parts = sparse.SparseMap(10, 4, [(2, 2), (6, 2)])
    assert sparse.hash_sparse(stream(b"abcd"), parts) == hashlib.sha256(b"\0\0ab\0\0cd\0\0").digest()


@pytest.mark.parametrize("parts", [[(0, 4), (2, 4)], [(8, 8)], [(0, 4)], [(4, 4), (0, 4)]])
def test_segments_must_be_ordered_inside_the_file_and_stored(parts: list[tuple[int, int]]) -> None:
    with pytest.raises(CorruptImage, match="sparse file"):
        sparse.SparseMap(10, 8, parts)


def test_a_map_longer_than_the_file_is_corrupt() -> None:
    pax = {b"GNU.sparse.major": b"1", b"GNU.sparse.realsize": b"5"}
    with pytest.raises(CorruptImage, match="longer than the file"):
        sparse.from_pax(stream(b"9\n".ljust(512, b"\0")), pax, (), stored=512)


def test_an_offset_needs_a_length() -> None:
    with pytest.raises(CorruptImage, match="without a length"):
        sparse.from_pax(stream(b""), {b"GNU.sparse.size": b"5", b"GNU.sparse.map": b"0,1,2"}, (), stored=1)


def test_the_map_has_a_limit() -> None:
    pax = {b"GNU.sparse.major": b"1", b"GNU.sparse.realsize": b"5"}
    with pytest.raises(CorruptImage, match="more than"):
        sparse.from_pax(stream(b"9999999\n" + b"1\n" * (2 << 20)), pax, (), stored=3 << 20)


def test_file_without_holes_has_no_map() -> None:
    assert sparse.from_pax(stream(b""), {b"path": b"x"}, (), stored=0) is None
