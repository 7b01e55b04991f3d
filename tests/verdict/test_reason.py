import datetime

import pytest

from driftline.events import Container, Content, Origin, Subject, VolumeKind
from driftline.verdict import FileFacts, Writer, WriterPlace
from driftline.verdict.origin import FileLocation
from driftline.verdict.reason import explain, explain_untouched
from tests.verdict import make

X = b"/tmp/x"
DISK_FILE = make.on_disk(X, X)


@pytest.mark.parametrize(
    ("file", "location", "history"),
    [
        (make.upper(X), FileLocation(Origin.WRITABLE_LAYER, X), "/tmp/x lies in the container's writable layer"),
        (make.upper(X, lowers=1), FileLocation(Origin.WRITABLE_LAYER, X), "/tmp/x was copied up to the writable layer"),
        (
            make.upper(X, lowers=1, writer=make.writer()),
            FileLocation(Origin.WRITABLE_LAYER, X),
            "/tmp/x was copied up to the writable layer and was written at 12:03:11 by pid 41 `sh`",
        ),
        (make.lower(X), FileLocation(Origin.IMAGE, X), "/tmp/x lies in a read-only layer"),
        (
            DISK_FILE,
            FileLocation(Origin.VOLUME, X, volume=VolumeKind.PVC, mount=b"/tmp"),
            "/tmp/x lies on the PVC volume at /tmp",
        ),
        (DISK_FILE, FileLocation(Origin.TMPFS, X, mount=b"/tmp"), "/tmp/x lies on a tmpfs at /tmp"),
        (DISK_FILE, FileLocation(Origin.TMPFS, X), "/tmp/x lies on a tmpfs"),
        (DISK_FILE, FileLocation(Origin.MEMORY, b"/memfd:x"), "/memfd:x exists in memory only"),
        (DISK_FILE, FileLocation(Origin.DELETED, X), "/tmp/x had been deleted when it ran"),
        (DISK_FILE, FileLocation(Origin.HOST, X), "/tmp/x lies on the node, outside the container's mounts"),
        (
            DISK_FILE,
            FileLocation(Origin.UNKNOWN, X),
            "/tmp/x lies on a file system (ext4) that the container was not started with",
        ),
    ],
)
def test_the_first_half_describes_location_and_writer(file: FileFacts, location: FileLocation, history: str) -> None:
    reason = explain(make.execution(file), location, Content.ADDED)

    assert reason == f"{history}; no layer of demo/web@sha256:beef contains it"


@pytest.mark.parametrize(
    ("content", "relation"),
    [
        (Content.IDENTICAL, "its bytes are those that demo/web@sha256:beef has there"),
        (Content.RELOCATED, "demo/web@sha256:beef has these bytes at /bin/x and 1 more paths"),
        (Content.MODIFIED, "demo/web@sha256:beef has other bytes at this path"),
        (Content.UNVERIFIED, "its content is not verified: too big"),
    ],
)
def test_the_second_half_describes_the_relation_to_the_image(content: Content, relation: str) -> None:
    note = "too big" if content == Content.UNVERIFIED else ""
    location = FileLocation(Origin.WRITABLE_LAYER, X)
    reason = explain(make.execution(make.upper(X)), location, content, note=note, image_paths=(b"/a", b"/bin/x"))

    assert reason == f"/tmp/x lies in the container's writable layer; {relation}"


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        (Subject.SCRIPT, "the script /x"),
        (Subject.LIBRARY, "the library /x"),
        (Subject.LOADER, "the program for ld.so /x"),
    ],
)
def test_subjects_other_than_binary_are_named(subject: Subject, words: str) -> None:
    assert explain_untouched(make.execution(make.lower(b"/x"), subject)).startswith(words)


def history_of(writer: Writer) -> str:
    """Return the first half of the reason for a new file with this writer."""
    location = FileLocation(Origin.WRITABLE_LAYER, X)
    return explain(make.execution(make.upper(X, writer=writer)), location, Content.ADDED).rpartition(";")[0]


def test_a_writer_is_named_escaped() -> None:
    assert history_of(make.writer(b"b`ad\n")).endswith("by pid 41 `b\\`ad\\n`")


def test_a_writer_on_the_node_is_named_as_such_with_its_command_line() -> None:
    writer = make.writer(b"cp", place=WriterPlace.NODE, argv=(b"cp", b"/root/x", b"/proc/41/root/tmp/x"))

    assert history_of(writer).endswith("by pid 41 `cp` of the node itself (`cp /root/x /proc/41/root/tmp/x`)")


def test_a_writer_in_another_container_is_named_with_container_and_pod() -> None:
    container = Container(id="0" * 64, name="init", namespace="shop", pod="web-1")
    writer = make.writer(b"wget", place=WriterPlace.OTHER_CONTAINER, container=container, argv=(b"wget", b"a`b"))

    assert history_of(writer).endswith("by pid 41 `wget` of another container, init in pod shop/web-1 (`wget a\\`b`)")


def test_a_write_on_another_day_has_its_date() -> None:
    file = make.upper(X, writer=make.writer(time=make.NOON - datetime.timedelta(days=1)))

    assert "written at 2026-11-22 12:03:11 by" in explain(
        make.execution(file), FileLocation(Origin.WRITABLE_LAYER, X), Content.ADDED
    )


def test_a_reason_with_a_hostile_name_is_one_line() -> None:
    reason = explain_untouched(make.execution(make.lower(b"/x\n\x1b[2J")))

    assert reason == r"/x\n\x1b[2J is an untouched file of demo/web@sha256:beef"
