import os
from pathlib import Path

import pytest

from driftline.cluster import has_bundle, parse_mountinfo
from driftline.verdict import Mount

LINE = rb"36 35 98:0 /mnt1\040a /mnt\0122 rw,noatime master:1 propagate_from:2 - ext3 /dev/ro\134ot rw,errors=continue"


def test_line_with_optional_fields_and_escapes() -> None:
    assert parse_mountinfo(LINE + b"\n") == (
        Mount(
            id=36,
            device=os.makedev(98, 0),
            root=b"/mnt1 a",
            path=b"/mnt\n2",
            fs_type="ext3",
            source=b"/dev/ro\\ot",
            options="rw,errors=continue",
        ),
    )


@pytest.mark.parametrize(
    ("namespace", "container_id", "expected"),
    [
        ("night", "web-1", True),
        ("night", "web", False),
        ("nigh.", "web-1", False),
        ("", "night", False),
        ("system.slice", "sshd.service", False),
    ],
)
def test_a_container_of_containerd_has_a_mounted_root(
    tmp_path: Path, namespace: str, container_id: str, *, expected: bool
) -> None:
    mounts = tmp_path / "mountinfo"
    path = "/var/run/k3s/io.containerd.runtime.v2.task/night/web-1/rootfs"
    mounts.write_text(f"22 1 0:20 / {path} rw,relatime shared:5 - overlay overlay rw,lowerdir=/a\n")

    assert has_bundle(namespace, container_id, mounts=mounts) == expected
    assert not has_bundle(namespace, container_id, mounts=tmp_path / "none")
