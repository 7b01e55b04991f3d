import contextlib
import dataclasses
import gzip
import io
import tarfile
import threading
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.errors import CorruptImage, ImageError, ImageNotFound
from driftline.image import Blob, Blobs, Kind, build
from tests.image import making
from tests.image.making import archive, device, directory, member, names, symlink

LAYER = archive(member("f", data=bytes(range(256)) * 9000))


@pytest.mark.parametrize("compression", ["", "+gzip", "+zstd"])
def test_reads_each_compression(tmp_path: Path, compression: str) -> None:
    index = making.build_blobs(tmp_path, making.blob(LAYER, compression))
    assert index.at(b"/f") == making.file_entry(b"/f", bytes(range(256)) * 9000)


def packed(data: bytes) -> Blob:
    return Blob(making.sha256(data), "", lambda: io.BytesIO(data), making.sha256(LAYER))


@pytest.mark.parametrize(
    "data",
    [
        b"".join(gzip.compress(LAYER[at : at + 5000]) for at in range(0, len(LAYER), 5000)),
        gzip.compress(b"") + gzip.compress(LAYER),
        b"".join(zstandard.compress(LAYER[at : at + 50_000]) for at in range(0, len(LAYER), 50_000)),
        b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstandard.compress(LAYER),
    ],
    ids=["gzip members", "empty gzip member", "zstd frames", "skippable frame"],
)
def test_reads_concatenated_compressed_members(tmp_path: Path, data: bytes) -> None:
    assert names(making.build_blobs(tmp_path, packed(data))) == [b"/", b"/f"]


@pytest.mark.parametrize("compression", ["", "+gzip", "+zstd"])
@pytest.mark.parametrize("part", [0.01, 0.5, 0.999])
def test_truncated_layer_is_corrupt_and_named(tmp_path: Path, compression: str, part: float) -> None:
    whole = making.blob(LAYER, compression)
    data = whole.open().read()
    cut = dataclasses.replace(whole, opener=lambda: io.BytesIO(data[: int(len(data) * part)]))
    with pytest.raises(CorruptImage, match=rf"^layer 1 \({whole.digest}\): "):
        making.build_blobs(tmp_path, making.blob(archive()), cut)


@pytest.mark.parametrize("compression", ["", "+gzip", "+zstd"])
def test_a_changed_byte_is_corrupt(tmp_path: Path, compression: str) -> None:
    whole = making.blob(LAYER, compression)
    data = bytearray(whole.open().read())
    data[-100 if not compression else -9] ^= 0xFF
    with pytest.raises(CorruptImage, match=r"layer 0"):
        making.build_blobs(tmp_path, dataclasses.replace(whole, opener=lambda: io.BytesIO(data)))


def test_the_diff_id_is_checked(tmp_path: Path) -> None:
    wrong = dataclasses.replace(making.blob(LAYER, "+gzip"), diff_id="sha256:" + "0" * 64)
    with pytest.raises(CorruptImage, match="diff id"):
        making.build_blobs(tmp_path, wrong)


@pytest.mark.parametrize("data", [b"\x1f\x8b\x08\xff" + b"x" * 600, b"\x28\xb5\x2f\xfd" + b"\xff" * 600, b"x" * 600])
def test_garbage_is_corrupt(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(CorruptImage, match="layer 0"):
        making.build_blobs(tmp_path, packed(data))


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ],
)
def test_a_foreign_layer_is_read_where_the_image_has_it(tmp_path: Path, media_type: str) -> None:
    present = dataclasses.replace(making.blob(archive(member("f")), "+gzip"), media_type=media_type)
    assert names(making.build_blobs(tmp_path, present)) == [b"/", b"/f"]

    absent = dataclasses.replace(present, opener=_missing)
    with pytest.raises(ImageError, match="a foreign layer"):
        making.build_blobs(tmp_path, absent)


def _missing() -> BinaryIO:
    raise ImageNotFound("no such blob")


def test_unknown_media_type_lists_the_expected_ones(tmp_path: Path) -> None:
    encrypted = dataclasses.replace(making.blob(LAYER), media_type="application/vnd.oci.image.layer.v1.tar+encrypted")
    with pytest.raises(ImageError, match=r"expected one of application/vnd\.docker"):
        making.build_blobs(tmp_path, encrypted)


def test_error_ends_the_worker_thread(tmp_path: Path) -> None:
    with pytest.raises(CorruptImage):
        making.build_blobs(
            tmp_path, making.blob(archive(member("f"), member("f/g"), member("big", data=bytes(9 << 20))))
        )
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("layer")]


# OCI image-spec layer.md


def test_a_whiteout_hides_lower_layers(tmp_path: Path) -> None:
    index = making.build(tmp_path, archive(member("d/f"), member("d/g")), archive(member("d/.wh.f")))
    assert names(index) == [b"/", b"/d", b"/d/g"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_whiteout_does_not_hide_its_siblings(tmp_path: Path, order: int) -> None:
    members = [member(".wh.d"), member("d/new")][::order]
    assert names(making.build(tmp_path, archive(member("d/old")), archive(*members))) == [b"/", b"/d", b"/d/new"]


@pytest.mark.parametrize("order", [1, -1])
def test_opaque_directory_hides_lower_children(tmp_path: Path, order: int) -> None:
    members = [member("d/.wh..wh..opq"), member("d/e/new")][::order]
    index = making.build(tmp_path, archive(member("d/e/old"), member("other")), archive(*members))
    assert names(index) == [b"/", b"/d", b"/d/e", b"/d/e/new", b"/other"]


def test_an_opaque_root_hides_nothing(tmp_path: Path) -> None:
    assert names(making.build(tmp_path, archive(member("f")), archive(member(".wh..wh..opq")))) == [b"/", b"/f"]


def test_a_directory_after_a_whiteout_of_its_name_merges_with_the_one_below(tmp_path: Path) -> None:
    upper = archive(member(".wh.d"), directory("d"), member("d/new"))
    assert names(making.build(tmp_path, archive(member("d/old")), upper)) == [b"/", b"/d", b"/d/new", b"/d/old"]


def test_a_whiteout_in_the_bottom_layer_removes_what_was_there(tmp_path: Path) -> None:
    assert names(making.build(tmp_path, archive(member("f"), member("g"), member(".wh.f")))) == [b"/", b"/g"]


def test_a_global_header_removes_what_was_at_its_name(tmp_path: Path) -> None:
    header = tarfile.TarInfo.create_pax_global_header({"path": "d"})
    layer = archive(member("d/f"), member("g"))[: 2 * tarfile.BLOCKSIZE] + header + archive(member("h"))
    assert names(making.build(tmp_path, layer)) == [b"/", b"/g", b"/h"]


def test_later_layer_may_add_a_hidden_name_again(tmp_path: Path) -> None:
    index = making.build(tmp_path, archive(member("f")), archive(member(".wh.f")), archive(member("f", data=b"2")))
    assert index.at(b"/f") == making.file_entry(b"/f", b"2", layer=2)


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh..."])
def test_whiteout_without_a_name_is_corrupt(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorruptImage, match="whiteout without a name"):
        making.build(tmp_path, archive(member(name)))


def test_aufs_bookkeeping_is_ignored(tmp_path: Path) -> None:
    assert names(making.build(tmp_path, archive(member(".wh..wh.plnk"), member(".wh..wh.aufs")))) == [b"/"]


def test_character_device_0_0_is_a_whiteout(tmp_path: Path) -> None:
    assert names(making.build(tmp_path, archive(member("f")), archive(device("f", 0, 0)))) == [b"/"]


def test_an_opaque_xattr_in_an_archive_is_ignored(tmp_path: Path) -> None:
    opaque = directory("d", pax_headers={"SCHILY.xattr.trusted.overlay.opaque": "y"})
    assert names(making.build(tmp_path, archive(member("d/f")), archive(opaque))) == [b"/", b"/d", b"/d/f"]


def test_every_kind_of_file_is_recognized(tmp_path: Path) -> None:
    layer = archive(
        symlink("link", "else/where"), device("null", 1, 3), member("block", b"4", devmajor=8), member("fifo", b"6")
    )
    index = making.build(tmp_path, layer)
    found = [(entry.path, entry.kind, entry.target, entry.device) for entry in index][1:]
    assert found == [
        (b"/block", Kind.BLOCK_DEVICE, b"", 0x800),
        (b"/fifo", Kind.FIFO, b"", 0),
        (b"/link", Kind.SYMLINK, b"else/where", 0),
        (b"/null", Kind.CHARACTER_DEVICE, b"", 0x103),
    ]


@pytest.mark.parametrize("name", [b"new\nline", b"\xff\xfe", b"\x1b[2J", b" ", b"\\", b"x" * 4000])
def test_names_with_any_bytes_are_kept(tmp_path: Path, name: bytes) -> None:
    assert names(making.build(tmp_path, archive(member(name), form=1))) == [b"/", b"/" + name]


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["", "+gzip", "+zstd"]),
    st.lists(st.tuples(st.integers(0, 5000), st.binary(max_size=12)), max_size=4),
)
def test_damaged_layer_gives_an_index_or_corrupt_image(compression: str, damages: list[tuple[int, bytes]]) -> None:
    header = {"SCHILY.xattr.user.k": "v", "path": "p" * 150}
    members = [directory("d"), member("d/f", data=b"x" * 700), member("p", pax_headers=header), member("d/.wh.g")]
    data = bytearray(making.COMPRESS[compression](archive(*members)))
    for place, replacement in damages:
        data[place : place + len(replacement)] = replacement
    layer = Blob("", "", lambda: io.BytesIO(_with_checksums(data)))
    with contextlib.suppress(CorruptImage):
        assert build.encode_index(making.DIGEST, Blobs([layer]))


def _with_checksums(data: bytearray) -> bytes:
    # A wrong checksum would hide every other damage of a header, so repair it.
    for at in range(0, len(data) - 511, 512):
        if data[at + 257 : at + 262] == b"ustar":
            data[at + 148 : at + 156] = b" " * 8
            data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    return bytes(data)
