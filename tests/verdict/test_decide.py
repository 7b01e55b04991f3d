from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.errors import Unreadable
from driftline.events import Content, Drift, Origin, Subject, Verdict, VolumeKind, VolumeMount
from driftline.verdict import ContainerRoot, Digest, FileFacts, decide
from driftline.verdict.facts import OVERLAYFS_MAGIC, TMPFS_MAGIC
from driftline.verdict.origin import is_lower
from tests.verdict import make

IMAGE = make.Image({b"/bin/busybox": b"busybox", b"/bin/ls": b"ls of the image", b"/bin/sh": None})
VOLUMES = (VolumeMount(path="/data", source="/srv", kind="emptyDir"),)


def never() -> Digest:
    raise AssertionError("nothing had to be read")


def gone() -> Digest:
    raise Unreadable("its process ended before it could be read")


def judge(
    file: FileFacts,
    content: bytes | Callable[[], Digest] = never,
    *,
    image: make.Image | None = IMAGE,
    root: ContainerRoot = make.ROOT,
) -> Verdict:
    read = content if callable(content) else lambda: make.digest(content)
    return decide(make.execution(file), root=root, image=image, read=read, volumes=VOLUMES)


def said(verdict: Verdict) -> tuple[Origin, Content, Drift]:
    return verdict.origin, verdict.content, verdict.drift


def test_an_untouched_image_file_is_identical_and_nothing_is_read() -> None:
    assert judge(make.lower(b"/bin/busybox", b"busybox")) == Verdict(
        subject=Subject.BINARY,
        origin=Origin.IMAGE,
        content=Content.IDENTICAL,
        drift=Drift.NO,
        reason=f"/bin/busybox is an untouched file of {make.IMAGE_NAME}",
        path=b"/bin/busybox",
        sha256=make.sha256(b"busybox"),
        size=7,
    )


def test_an_image_file_seen_through_a_bind_mount_or_chroot_is_itself() -> None:
    verdict = judge(make.lower(b"/jail/bin/busybox", b"busybox", fs_path=b"/bin/busybox"))

    assert said(verdict) == (Origin.IMAGE, Content.IDENTICAL, Drift.NO)
    assert verdict.path == b"/jail/bin/busybox"


def test_an_untouched_file_is_no_drift_before_there_is_an_index() -> None:
    verdict = judge(make.lower(b"/bin/busybox"), image=None)

    assert said(verdict) == (Origin.IMAGE, Content.UNVERIFIED, Drift.NO)
    assert "no index of the image" in verdict.reason


def test_a_layer_changed_on_the_node_is_modified() -> None:
    verdict = judge(make.lower(b"/bin/busybox", b"tampered with"), b"tampered with")

    assert said(verdict) == (Origin.IMAGE, Content.MODIFIED, Drift.YES)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"busybox", Content.RELOCATED), (b"other", Content.ADDED)],
)
def test_a_lower_file_where_the_image_has_none_is_compared_by_content(content: bytes, expected: Content) -> None:
    """A directory renamed with redirect_dir keeps its files in the lower layer."""
    assert said(judge(make.lower(b"/moved/busybox", content), content)) == (Origin.IMAGE, expected, Drift.YES)


def test_a_lower_file_where_the_image_has_none_is_unknown_if_it_cannot_be_read() -> None:
    assert said(judge(make.lower(b"/moved/x"), gone)) == (Origin.IMAGE, Content.UNVERIFIED, Drift.UNKNOWN)


def test_an_untouched_file_with_a_path_too_long_to_compare_is_no_drift() -> None:
    verdict = judge(make.lower(b"/deep/busybox", b"busybox", truncated=True), b"busybox")

    assert said(verdict) == (Origin.IMAGE, Content.UNVERIFIED, Drift.NO)


def test_a_deleted_image_file_is_identical() -> None:
    file = make.lower(b"/bin/busybox", b"busybox", nlink=0)

    assert said(judge(file)) == (Origin.DELETED, Content.IDENTICAL, Drift.NO)


@pytest.mark.parametrize("lowers", [0, 1])
def test_a_copied_up_file_with_the_images_bytes_is_identical(lowers: int) -> None:
    """chmod, touch, chown, rename and back; the kernel may have lost where it was copied from."""
    file = make.upper(b"/bin/busybox", b"busybox", lowers=lowers)

    assert said(judge(file, b"busybox")) == (Origin.WRITABLE_LAYER, Content.IDENTICAL, Drift.NO)


def test_a_dropped_file_is_added() -> None:
    verdict = judge(make.upper(b"/tmp/wget", writer=make.writer()), b"new")

    assert said(verdict) == (Origin.WRITABLE_LAYER, Content.ADDED, Drift.YES)
    assert verdict.sha256 == make.sha256(b"new")
    assert verdict.reason == (
        "/tmp/wget was written at 12:03:11 by pid 41 `sh`; no layer of demo/web@sha256:beef contains it"
    )


def test_an_image_file_overwritten_in_place_is_modified() -> None:
    file = make.upper(b"/bin/busybox", b"evil", lowers=1)

    assert said(judge(file, b"evil")) == (Origin.WRITABLE_LAYER, Content.MODIFIED, Drift.YES)


def test_a_file_in_place_of_an_images_symlink_is_modified() -> None:
    assert judge(make.upper(b"/bin/sh"), b"new").content == Content.MODIFIED


@pytest.mark.parametrize("path", [b"/tmp/x", b"/bin/ls"])
def test_an_images_bytes_elsewhere_are_relocated(path: bytes) -> None:
    """cp, ln and mv of an image file, also over another image file."""
    verdict = judge(make.upper(path, b"busybox"), b"busybox")

    assert said(verdict) == (Origin.WRITABLE_LAYER, Content.RELOCATED, Drift.YES)
    assert "has these bytes at /bin/busybox" in verdict.reason


def test_bytes_read_after_a_change_prove_nothing_in_favour() -> None:
    """An attacker could put the image's bytes back once the modified file runs."""
    changed = make.digest(b"busybox", changed=True)
    verdict = judge(make.upper(b"/bin/busybox", b"busybox", lowers=1), lambda: changed)

    assert said(verdict) == (Origin.WRITABLE_LAYER, Content.UNVERIFIED, Drift.UNKNOWN)


def test_bytes_read_after_a_change_still_count_against() -> None:
    verdict = judge(make.upper(b"/tmp/x"), lambda: make.digest(b"new", changed=True))

    assert said(verdict) == (Origin.WRITABLE_LAYER, Content.ADDED, Drift.YES)
    assert verdict.reason.endswith("(it was changed after it ran, before it was read)")


@pytest.mark.parametrize(("lowers", "drift"), [(0, Drift.YES), (1, Drift.UNKNOWN)])
def test_an_unreadable_upper_file_is_drift_if_no_layer_holds_it(lowers: int, drift: Drift) -> None:
    verdict = judge(make.upper(b"/bin/busybox", lowers=lowers), gone)

    assert said(verdict) == (Origin.WRITABLE_LAYER, Content.UNVERIFIED, drift)
    assert verdict.reason.endswith("its content is not verified: its process ended before it could be read")
    assert (verdict.sha256, verdict.size) == ("", 3)


@pytest.mark.parametrize(("lowers", "drift"), [(0, Drift.YES), (1, Drift.UNKNOWN)])
def test_without_an_index_the_bytes_are_still_named(lowers: int, drift: Drift) -> None:
    verdict = judge(make.upper(b"/bin/busybox", lowers=lowers), b"new", image=None)

    assert said(verdict) == (Origin.WRITABLE_LAYER, Content.UNVERIFIED, drift)
    assert verdict.sha256 == make.sha256(b"new")


def test_a_copied_up_file_with_a_path_too_long_to_compare_is_unknown() -> None:
    verdict = judge(make.upper(b"/deep/busybox", b"busybox", lowers=1, truncated=True), b"busybox")

    assert said(verdict) == (Origin.WRITABLE_LAYER, Content.UNVERIFIED, Drift.UNKNOWN)


def test_an_images_bytes_on_a_volume_are_relocated_even_at_the_same_path() -> None:
    """A volume mounted over an image's directory is not the image."""
    root = ContainerRoot(device=make.ROOT_DEVICE, mounts=(make.mount(make.DISK, b"/bin", b"/srv/bin"),))
    verdict = judge(make.on_disk(b"/bin/busybox", b"/srv/bin/busybox", b"busybox"), b"busybox", root=root)

    assert said(verdict) == (Origin.VOLUME, Content.RELOCATED, Drift.YES)


def test_a_volume_has_its_kind() -> None:
    path = b"/var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/data/e"
    verdict = judge(make.on_disk(b"/data/e", path), b"new")

    assert (*said(verdict), verdict.volume) == (Origin.VOLUME, Content.ADDED, Drift.YES, VolumeKind.EMPTY_DIR)


@pytest.mark.parametrize(
    ("file", "origin"),
    [
        (make.on_disk(b"/data/e", b"/srv/deep/e"), Origin.VOLUME),
        (make.on_tmpfs(b"/dev/shm/x"), Origin.TMPFS),
        (make.memfd(b"x"), Origin.MEMORY),
        (make.on_disk(b"/host/x", b"/home/x"), Origin.HOST),
        (make.lower(b"/x", device=make.NESTED_DEVICE), Origin.UNKNOWN),
    ],
)
def test_what_lies_outside_the_images_tree_is_drift_even_unread(file: FileFacts, origin: Origin) -> None:
    assert said(judge(file, gone)) == (origin, Content.UNVERIFIED, Drift.YES)


def test_a_memfd_is_compared_with_no_path_of_the_image() -> None:
    """Its name is the attacker's."""
    verdict = judge(make.memfd(b"/bin/ls"), b"new")

    assert said(verdict) == (Origin.MEMORY, Content.ADDED, Drift.YES)
    assert verdict.path == b"/memfd:/bin/ls"


PATHS = st.sampled_from([b"/bin/busybox", b"/bin/ls", b"/bin/sh", b"/tmp/x"])
CONTENTS = st.sampled_from([b"busybox", b"ls of the image", b"dropped", b""])
DEVICES = st.sampled_from([make.ROOT_DEVICE, make.NESTED_DEVICE, make.SHM_DEVICE, make.DISK, make.KERNEL_TMPFS])
IMAGES = st.none() | st.dictionaries(PATHS, st.none() | CONTENTS).map(make.Image)


@st.composite
def files(draw: st.DrawFn, content: bytes) -> FileFacts:
    return make.lower(
        draw(PATHS),
        content,
        fs_path=draw(PATHS),
        device=draw(DEVICES),
        magic=draw(st.sampled_from([OVERLAYFS_MAGIC, TMPFS_MAGIC, make.EXT4_MAGIC])),
        upper=draw(st.booleans()),
        lowers=draw(st.integers(0, 2)),
        nlink=draw(st.integers(0, 2)),
        truncated=draw(st.booleans()),
    )


@given(st.data(), CONTENTS, IMAGES, st.booleans())
def test_only_what_the_image_has_there_is_identical(
    data: st.DataObject, content: bytes, image: make.Image | None, changed: bool
) -> None:
    """Promise 1, first half; and drift is ``no`` for nothing else, unless the kernel vouches for it.

    Of a lower file the kernel says that its bytes are the layer's, so only its size is compared.
    """
    file = data.draw(files(content))
    verdict = judge(file, lambda: make.digest(content, changed=changed), image=image)

    if verdict.content == Content.IDENTICAL:
        path = file.fs_path if file.magic == OVERLAYFS_MAGIC else file.path
        held = image.at(path) if image else None
        assert held is not None
        assert held.sha256 == verdict.sha256
        assert file.device == make.ROOT_DEVICE
        assert is_lower(file, make.ROOT) or held.sha256 == make.sha256(content)
    elif verdict.drift == Drift.NO:
        assert verdict.content == Content.UNVERIFIED
        assert (file.device, file.magic, file.upper) == (make.ROOT_DEVICE, OVERLAYFS_MAGIC, False)


@given(st.sampled_from(sorted({b"/bin/busybox": b"busybox", b"/bin/ls": b"ls of the image"}.items())), st.booleans())
def test_an_untouched_image_file_is_never_drift(item: tuple[bytes, bytes], indexed: bool) -> None:
    """Promise 1, second half: readable or not, indexed or not."""
    file = make.lower(*item)

    assert judge(file, gone, image=IMAGE if indexed else None).drift == Drift.NO


@given(st.data(), CONTENTS, IMAGES)
def test_unverified_always_says_why(data: st.DataObject, content: bytes, image: make.Image | None) -> None:
    verdict = judge(data.draw(files(content)), gone, image=image)

    assert verdict.content in {Content.UNVERIFIED, Content.IDENTICAL}
    assert (": " in verdict.reason) == (verdict.content == Content.UNVERIFIED)


@given(PATHS, CONTENTS, st.dictionaries(PATHS, CONTENTS))
def test_a_readable_upper_file_relates_to_the_image_as_the_words_say(
    path: bytes, content: bytes, held: dict[bytes, bytes]
) -> None:
    """DESIGN.md, section 2, word for word."""
    verdict = judge(make.upper(path, content), content, image=make.Image(held))

    if held.get(path) == content:
        expected = Content.IDENTICAL
    elif content in held.values():
        expected = Content.RELOCATED
    else:
        expected = Content.MODIFIED if path in held else Content.ADDED
    assert verdict.content == expected
    assert (verdict.drift == Drift.NO) == (expected == Content.IDENTICAL)
