import os

from driftline.cluster import parse_mountinfo
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
