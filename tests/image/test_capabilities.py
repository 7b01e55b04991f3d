import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from driftline import image
from driftline.image import Blobs, LowerDirs, capabilities_text, valid_capabilities
from tests.image import making
from tests.image.making import archive, build, link, member

NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
BPF = struct.pack("<5I", 0x02000000, 0, 0, 1 << 7, 0)
OF_USER_NAMESPACE = struct.pack("<6I", 0x03000001, 1 << 13, 0, 0, 0, 1000)
PAX = "SCHILY.xattr.security.capability"


def pax(value: bytes) -> dict[str, str]:
    return {PAX: value.decode("utf-8", "surrogateescape")}


@pytest.mark.parametrize("value", [NET_RAW, BPF, OF_USER_NAMESPACE])
def test_capabilities_of_a_layer_are_stored(tmp_path: Path, value: bytes) -> None:
    with build(tmp_path, archive(member("x", data=b"x", pax_headers=pax(value)), member("y", data=b"x"))) as index:
        assert [entry.capabilities for entry in index] == [b"", value, b""]


@pytest.mark.parametrize(
    "value",
    [b"x", NET_RAW[:12], NET_RAW + b"1234", OF_USER_NAMESPACE[:20], struct.pack("<5I", 0x01000000, 1, 0, 0, 0)],
    ids=["text", "too short", "too long", "no root id", "version 1"],
)
def test_a_value_that_linux_refuses_is_no_capability(tmp_path: Path, value: bytes) -> None:
    assert valid_capabilities(value) == b""
    with build(tmp_path, archive(member("x", data=b"x", pax_headers=pax(value)))) as index:
        assert [entry.capabilities for entry in index] == [b"", b""]


def test_the_upper_layers_file_decides(tmp_path: Path) -> None:
    lower = archive(member("x", data=b"x", pax_headers=pax(NET_RAW)), member("y", data=b"x"))
    upper = archive(member("x", data=b"x"), member("y", data=b"x", pax_headers=pax(BPF)))
    with build(tmp_path, lower, upper) as index:
        assert [entry.capabilities for entry in index] == [b"", b"", BPF]


@pytest.mark.parametrize("layers", [1, 2])
def test_a_hard_link_gives_the_file_its_own_capabilities(tmp_path: Path, layers: int) -> None:
    """Setting the owner, as containerd does for each header, removes those that the file had."""
    file, other = member("x", data=b"x", pax_headers=pax(NET_RAW)), link("y", "x")
    archives = (archive(file, other),) if layers == 1 else (archive(file), archive(other))
    with build(tmp_path, *archives) as index:
        found = index.at(b"/y")
        assert found is not None
        assert found.capabilities == b""


def test_differences_of_capabilities_are_found(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    plain, raw = archive(member("x", data=b"x")), archive(member("x", data=b"x", pax_headers=pax(NET_RAW)))
    with build(tmp_path, plain) as before, build(tmp_path / "b", raw) as after:
        assert [(change.path, change.aspect) for change in image.diff(before, after)] == [(b"/x", "capabilities")]
        assert list(image.diff(before, before)) == []


@pytest.mark.kernel
def test_unpacked_layers_give_the_capabilities_of_their_files(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    for name, value in (("a", NET_RAW), ("b", BPF), ("c", b"")):
        (layer / name).write_bytes(b"x")
        if value:
            os.setxattr(layer / name, "security.capability", value)
    image.build_index(making.DIGEST, LowerDirs((bytes(layer),)), tmp_path / "i.index")
    with image.open_index(tmp_path / "i.index") as index:
        assert [entry.capabilities for entry in index] == [b"", NET_RAW, BPF, b""]


def test_an_index_of_the_version_before_is_built_again(tmp_path: Path) -> None:
    """Version 1 had no capabilities."""
    cache = image.ImageCache(tmp_path)
    digest, layers = "sha256:" + "0" * 64, Blobs((making.blob(archive(member("x", pax_headers=pax(NET_RAW)))),))
    path = cache.path(digest)
    cache.build(digest, layers).close()
    data = bytearray(path.read_bytes())
    data[8:10] = (1).to_bytes(2, "little")
    path.write_bytes(data)

    assert cache.get(digest) is None
    with cache.build(digest, layers) as index:
        assert [entry.capabilities for entry in index] == [b"", NET_RAW]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", ""),
        (NET_RAW, "cap_net_raw=ep"),
        (BPF, "cap_bpf=p"),
        (OF_USER_NAMESPACE, "cap_net_raw=ep [rootid=1000]"),
        (struct.pack("<5I", 0x02000001, 0b11, 0b110, 0, 0), "cap_dac_override=eip cap_chown=ep cap_dac_read_search=ei"),
        (struct.pack("<5I", 0x02000000, 0, 0, 1 << 31, 0), "63=p"),
        (struct.pack("<5I", 0x02000000, 0, 0, 0, 0), "="),
    ],
)
def test_capabilities_are_shown_by_name(value: bytes, expected: str) -> None:
    assert capabilities_text(value) == expected


@pytest.mark.kernel
@pytest.mark.skipif(not shutil.which("getcap"), reason="needs getcap of libcap2-bin")
@pytest.mark.parametrize("value", [NET_RAW, BPF, struct.pack("<5I", 0x02000001, 0b11, 0b11, 0, 0)])
def test_names_are_those_of_getcap(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x")
    os.setxattr(path, "security.capability", value)
    shown = subprocess.run(("getcap", path), capture_output=True, text=True, check=True).stdout.split()

    assert shown[-1].replace("+", "=") == capabilities_text(value)
