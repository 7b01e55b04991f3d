import msgspec
import pytest

from driftline.image import Entry, Kind
from driftline.sensor.scan import findings
from driftline.sensor.scan.findings import Change, Finding, compare, running_first

FILE = Entry(b"/x", Kind.FILE, 3, 0o755, 0, 0, "ab" * 32, b"", 0)
LINK = Entry(b"/x", Kind.SYMLINK, 0, 0o777, 0, 0, "", b"/y", 0)


@pytest.mark.parametrize(
    ("before", "changes", "expected"),
    [
        (FILE, {}, ()),
        (FILE, {"layer": -1}, ()),
        (FILE, {"sha256": "cd" * 32}, (Change.MODIFIED,)),
        (FILE, {"mode": 0o4755}, (Change.MODE,)),
        (FILE, {"gid": 1}, (Change.OWNER,)),
        (FILE, {"capabilities": b"x"}, (Change.CAPABILITIES,)),
        (FILE, {"sha256": "cd" * 32, "mode": 0o4755, "uid": 1}, (Change.MODIFIED, Change.MODE, Change.OWNER)),
        (FILE, {"sha256": "", "mode": 0o644}, (Change.UNVERIFIED, Change.MODE)),
        (FILE, {"kind": Kind.FIFO, "uid": 1}, (Change.KIND,)),
        (LINK, {"target": b"/z"}, (Change.MODIFIED,)),
        (LINK, {"uid": 1, "mode": 0o755}, ()),
        (None, {}, (Change.ADDED,)),
    ],
)
def test_each_kind_of_difference_is_listed(
    before: Entry | None, changes: dict[str, object], expected: tuple[Change, ...]
) -> None:
    assert compare(before, msgspec.structs.replace(before or FILE, **changes)) == expected


def finding(path: bytes, *, is_executable: bool, pids: tuple[int, ...] = ()) -> Finding:
    return Finding(path=path, changes=(Change.ADDED,), is_executable=is_executable, pids=pids)


def test_what_runs_is_yielded_first_and_then_executables() -> None:
    given = [
        finding(b"/1", is_executable=False),
        finding(b"/2", is_executable=True),
        finding(b"/3", is_executable=True, pids=(7,)),
    ]

    assert list(running_first(given)) == given[::-1]


def test_a_bounded_number_of_findings_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "_HELD_BACK", 2)
    given = [finding(str(number).encode(), is_executable=number == 1) for number in range(4)]

    assert [found.path for found in running_first(given)] == [b"2", b"3", b"1", b"0"]
