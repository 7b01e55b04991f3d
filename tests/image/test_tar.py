import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from driftline.errors import CorruptImage
from driftline.image import tar
from driftline.image.limits import Budget, Limits
from tests.image import making

LONG = "d/" * 100 + "f" * 200


def read(data: bytes, *, chunk: int = 700) -> list[tar.Member]:
    chunks = (data[at : at + chunk] for at in range(0, len(data), chunk))
    return list(tar.members(tar.ChunkStream(chunks), budget=Budget(Limits())))


def gnu_tar(directory: Path, *options: str) -> bytes:
    return subprocess.run(["tar", "-cf", "-", *options, "-C", directory, "."], check=True, capture_output=True).stdout


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_a_member_of_each_format(form: int) -> None:
    (found,) = read(making.archive(making.member("a/b", data=b"x" * 1500, uid=7, gid=8, mode=0o4755), form=form))
    assert (found.name, found.type, found.mode, found.uid, found.gid, found.size) == (b"a/b", b"0", 0o4755, 7, 8, 1500)
    assert found.sha256 == hashlib.sha256(b"x" * 1500).digest()


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_long_names_and_links(form: int) -> None:
    found = read(making.archive(making.member(LONG), making.symlink("l", LONG), form=form))
    assert [(one.name, one.link) for one in found] == [(LONG.encode(), b""), (b"l", LONG.encode())]


def test_joins_the_ustar_prefix() -> None:
    name = "p" * 120 + "/" + "n" * 90
    assert read(making.archive(making.member(name), form=tarfile.USTAR_FORMAT))[0].name == name.encode()


@pytest.mark.parametrize("name", [b"new\nline", b"\xff\xfe not text", b" ", b"\x1b[31m"])
def test_names_are_bytes(name: bytes) -> None:
    assert read(making.archive(making.member(name), form=tarfile.GNU_FORMAT))[0].name == name


def test_reads_xattrs_and_large_ids_of_pax_headers() -> None:
    info = making.member("f", uid=3_000_000, pax_headers={"SCHILY.xattr.user.k": "v"})
    (found,) = read(making.archive(info))
    assert (found.uid, found.xattrs) == (3_000_000, {b"user.k": b"v"})


def test_global_pax_headers_are_ignored() -> None:
    info, data = making.member("f", data=b"x")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", pax_headers={"path": "other"}) as archive:
        archive.addfile(info, io.BytesIO(data))
    assert read(buffer.getvalue())[0].name == b"f"


def test_size_of_a_link_is_ignored() -> None:
    header = making.link("l", "f")[0]
    header.size = 4096
    data = header.tobuf() + making.archive(making.member("g"))
    assert [one.name for one in read(data)] == [b"l", b"g"]


@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0", "gnu"])
def test_sparse_file_has_the_hash_of_its_full_content(tmp_path: Path, version: str) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        for number in range(40):  # more parts than one GNU header holds
            file.seek(number << 16)
            file.write(b"data %d" % number)
        file.truncate(4 << 20)
    form = ("--format=gnu",) if version == "gnu" else ("--format=pax", f"--sparse-version={version}")
    found = {one.name: one for one in read(gnu_tar(tmp_path, "--sparse", *form))}[b"./sparse"]
    assert (found.size, found.sha256) == (4 << 20, hashlib.sha256((tmp_path / "sparse").read_bytes()).digest())


def test_holes_count_in_the_budget(tmp_path: Path) -> None:
    os.truncate(os.open(tmp_path / "hole", os.O_CREAT | os.O_WRONLY), 1 << 40)
    chunks = iter([gnu_tar(tmp_path, "--sparse", "--format=pax")])
    with pytest.raises(CorruptImage, match="bytes uncompressed"):
        list(tar.members(tar.ChunkStream(chunks), budget=Budget(Limits())))


def test_agrees_with_tarfile_on_a_real_tree() -> None:
    data = gnu_tar(Path("/etc"), "--format=pax", "--xattrs", "--ignore-failed-read")
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as reference:
        expected = [(os.fsencode(one.name).rstrip(b"/"), one.size, one.mode, one.uid, one.type) for one in reference]
    found = [(one.name.rstrip(b"/"), one.size, one.mode, one.uid, one.type) for one in read(data)]
    assert found == expected


@pytest.mark.parametrize("cut", [100, 512 + 300, 512 + 1024])
def test_a_truncated_archive_is_corrupt(cut: int) -> None:
    with pytest.raises(CorruptImage, match="truncated"):
        read(making.archive(making.member("f", data=b"x" * 2000), form=tarfile.USTAR_FORMAT)[:cut])


def test_an_archive_may_end_without_zero_blocks() -> None:
    assert len(read(making.archive(making.member("f", data=b"x"), form=tarfile.USTAR_FORMAT)[:1024])) == 1


def test_a_flipped_bit_in_a_header_is_corrupt() -> None:
    data = bytearray(making.archive(making.member("f")))
    data[1] ^= 1
    with pytest.raises(CorruptImage, match="checksum"):
        read(bytes(data))


def test_other_bytes_are_not_an_archive() -> None:
    with pytest.raises(CorruptImage, match=r"not a tar header: it begins with b'#!/bin/sh"):
        read(b"#!/bin/sh\n".ljust(1024, b"x"))


@pytest.mark.parametrize("record", [b"8 path=x\n", b"99 path=x\n", b"x", b"8 path x\n", b"5 =x\n", b"\xb9 a=b\n"])
def test_a_malformed_pax_record_is_corrupt(record: bytes) -> None:
    with pytest.raises(CorruptImage, match="PAX"):
        read(making.archive(making.member("h", b"x", record), making.member("f"), form=tarfile.USTAR_FORMAT))


def test_an_extended_header_has_a_limit() -> None:
    with pytest.raises(CorruptImage, match="extended header of"):
        read(making.archive(making.member("h", b"L", b"x" * (2 << 20)), form=tarfile.USTAR_FORMAT))


@pytest.mark.parametrize("kind", [b"V", b"M", b"D", b"Z"])
def test_unknown_type_flags_are_corrupt(kind: bytes) -> None:
    with pytest.raises(CorruptImage, match="tar type"):
        read(making.archive(making.member("f", kind), form=tarfile.USTAR_FORMAT))


def test_nul_in_a_pax_path_is_corrupt() -> None:
    with pytest.raises(CorruptImage, match="not a valid name"):
        read(making.archive(making.member("h", b"x", b"12 path=a\0b\n"), making.member("f")))


def test_file_stream_skips_contents_and_records_offsets(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(making.archive(making.member("f", data=b"one"), making.member("g", data=b"two")))
    with path.open("rb") as file:
        places = {one.name: one.offset for one in tar.members(tar.FileStream(file), hashed=False)}
        file.seek(places[b"g"])
        assert file.read(3) == b"two"


def pax(kind: bytes, **records: str) -> bytes:
    """An extended header with records, each given as ``key="value"``."""
    lines = b"".join(_record(key, value) for key, value in records.items())
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, len(lines)
    return info.tobuf(tarfile.USTAR_FORMAT) + lines + bytes(-len(lines) % 512)


def _record(key: str, value: str) -> bytes:
    rest = len(f" {key}={value}\n")
    length = next(number for number in range(rest, rest + 5) if number == rest + len(str(number)))
    return f"{length} {key}={value}\n".encode()


FILE = tarfile.TarInfo("real").tobuf(tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (pax(b"x", path="one") + pax(b"x", path="two"), [b"two"]),
        (pax(b"x", path="one") + pax(b"x", uid="7"), [b"real"]),
        (pax(b"x", path="one") + pax(b"g", comment="c"), [b"real"]),
        (pax(b"g", path="one") + pax(b"x", path="two"), [b"two"]),
        (pax(b"x", path="one", uid="7") + pax(b"x", path=""), [b"real"]),
    ],
)
def test_of_several_extended_headers_the_last_one_counts(headers: bytes, expected: list[bytes]) -> None:
    stream = tar.ChunkStream(iter([headers + FILE + bytes(1024)]))

    assert [found.name for found in tar.members(stream)] == expected
