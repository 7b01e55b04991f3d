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
    raise AssertionError("the file was read although this is not necessary")


def gone() -> Digest:
    raise Unreadable("its process ended before it could be read")


def evaluate(
    file: FileFacts,
    content: bytes | Callable[[], Digest] = never,
    *,
    image: make.Image | None = IMAGE,
    root: ContainerRoot = make.ROOT,
) -> Verdict:
    read = content if callable(content) else lambda: make.digest(content)
    return decide(make.execution(file), root=root, image=image, read=read, volumes=VOLUMES)


def summary(verdict: Verdict) -> tuple[Origin, Content, Drift]:
    return verdict.origin, verdict.content, verdict.drift


def test_an_untouched_image_file_is_identical_and_nothing_is_read() -> None:
    assert evaluate(make.lower(b"/bin/busybox", b"busybox")) == Verdict(
        subject=Subject.BINARY,
        origin=Origin.IMAGE,
        content=Content.IDENTICAL,
        drift=Drift.NO,
        reason=f"/bin/busybox is an untouched file of {make.IMAGE_NAME}",
        path=b"/bin/busybox",
        sha256=make.sha256(b"busybox"),
        size=7,
    )


def test_an_image_file_under_a_bind_mount_or_chroot_is_identical() -> None:
    verdict = evaluate(make.lower(b"/jail/bin/busybox", b"busybox", fs_path=b"/bin/busybox"))

    assert summary(verdict) == (Origin.IMAGE, Content.IDENTICAL, Drift.NO)
    assert verdict.path == b"/jail/bin/busybox"


def test_an_untouched_file_is_not_drift_without_an_index() -> None:
    verdict = evaluate(make.lower(b"/bin/busybox"), image=None)

    assert summary(verdict) == (Origin.IMAGE, Content.UNVERIFIED, Drift.NO)
    assert "no index of the image" in verdict.reason


def test_a_layer_changed_on_the_node_is_modified() -> None:
    verdict = evaluate(make.lower(b"/bin/busybox", b"tampered with"), b"tampered with")

    assert summary(verdict) == (Origin.IMAGE, Content.MODIFIED, Drift.YES)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"busybox", Content.RELOCATED), (b"other", Content.ADDED)],
)
def test_a_lower_file_at_a_path_unknown_to_the_image_is_compared_by_content(content: bytes, expected: Content) -> None:
    """A directory renamed with redirect_dir keeps its files in the lower layer."""
    assert summary(evaluate(make.lower(b"/moved/busybox", content), content)) == (Origin.IMAGE, expected, Drift.YES)


def test_an_unreadable_lower_file_at_a_path_unknown_to_the_image_is_unknown() -> None:
    assert summary(evaluate(make.lower(b"/moved/x"), gone)) == (Origin.IMAGE, Content.UNVERIFIED, Drift.UNKNOWN)


def test_an_untouched_file_with_a_truncated_path_is_not_drift() -> None:
    verdict = evaluate(make.lower(b"/deep/busybox", b"busybox", truncated=True), b"busybox")

    assert summary(verdict) == (Origin.IMAGE, Content.UNVERIFIED, Drift.NO)


def test_a_deleted_image_file_is_identical() -> None:
    file = make.lower(b"/bin/busybox", b"busybox", nlink=0)

    assert summary(evaluate(file)) == (Origin.DELETED, Content.IDENTICAL, Drift.NO)


@pytest.mark.parametrize("lowers", [0, 1])
def test_a_copied_up_file_with_the_images_bytes_is_identical(lowers: int) -> None:
    """After chmod, touch, chown, or a rename and back; the kernel may no longer know the lower file."""
    file = make.upper(b"/bin/busybox", b"busybox", lowers=lowers)

    assert summary(evaluate(file, b"busybox")) == (Origin.WRITABLE_LAYER, Content.IDENTICAL, Drift.NO)


def test_a_dropped_file_is_added() -> None:
    verdict = evaluate(make.upper(b"/tmp/wget", writer=make.writer()), b"new")

    assert summary(verdict) == (Origin.WRITABLE_LAYER, Content.ADDED, Drift.YES)
    assert verdict.sha256 == make.sha256(b"new")
    assert verdict.reason == (
        "/tmp/wget was written at 12:03:11 by pid 41 `sh`; no layer of demo/web@sha256:beef contains it"
    )


def test_an_image_file_overwritten_in_place_is_modified() -> None:
    file = make.upper(b"/bin/busybox", b"evil", lowers=1)

    assert summary(evaluate(file, b"evil")) == (Origin.WRITABLE_LAYER, Content.MODIFIED, Drift.YES)


def test_a_file_in_place_of_an_images_symlink_is_modified() -> None:
    assert evaluate(make.upper(b"/bin/sh"), b"new").content == Content.MODIFIED


@pytest.mark.parametrize("path", [b"/tmp/x", b"/bin/ls"])
def test_image_content_under_another_path_is_relocated(path: bytes) -> None:
    """After cp, ln or mv of an image file, also over another image file."""
    verdict = evaluate(make.upper(path, b"busybox"), b"busybox")

    assert summary(verdict) == (Origin.WRITABLE_LAYER, Content.RELOCATED, Drift.YES)
    assert "has these bytes at /bin/busybox" in verdict.reason


def test_image_content_read_after_a_change_is_unverified() -> None:
    """An attacker could restore the image's bytes after the modified file was executed."""
    changed = make.digest(b"busybox", changed=True)
    verdict = evaluate(make.upper(b"/bin/busybox", b"busybox", lowers=1), lambda: changed)

    assert summary(verdict) == (Origin.WRITABLE_LAYER, Content.UNVERIFIED, Drift.UNKNOWN)


def test_an_unverified_file_has_no_digest_of_bytes_that_may_not_have_run() -> None:
    """Allow lists name digests, and image content under other paths."""
    verdict = evaluate(make.upper(b"/tmp/x"), lambda: make.digest(b"busybox", changed=True))

    assert summary(verdict) == (Origin.WRITABLE_LAYER, Content.UNVERIFIED, Drift.YES)
    assert verdict.sha256 == ""


def test_other_content_read_after_a_change_is_drift() -> None:
    verdict = evaluate(make.upper(b"/tmp/x"), lambda: make.digest(b"new", changed=True))

    assert summary(verdict) == (Origin.WRITABLE_LAYER, Content.ADDED, Drift.YES)
    assert verdict.reason.endswith("(it was changed after it ran, before it was read)")


@pytest.mark.parametrize(("lowers", "drift"), [(0, Drift.YES), (1, Drift.UNKNOWN)])
def test_an_unreadable_upper_file_is_drift_if_no_layer_has_it(lowers: int, drift: Drift) -> None:
    verdict = evaluate(make.upper(b"/bin/busybox", lowers=lowers), gone)

    assert summary(verdict) == (Origin.WRITABLE_LAYER, Content.UNVERIFIED, drift)
    assert verdict.reason.endswith("its content is not verified: its process ended before it could be read")
    assert (verdict.sha256, verdict.size) == ("", 3)


@pytest.mark.parametrize(("lowers", "drift"), [(0, Drift.YES), (1, Drift.UNKNOWN)])
def test_without_an_index_the_verdict_has_the_digest(lowers: int, drift: Drift) -> None:
    verdict = evaluate(make.upper(b"/bin/busybox", lowers=lowers), b"new", image=None)

    assert summary(verdict) == (Origin.WRITABLE_LAYER, Content.UNVERIFIED, drift)
    assert verdict.sha256 == make.sha256(b"new")


def test_a_copied_up_file_with_a_truncated_path_is_unknown() -> None:
    verdict = evaluate(make.upper(b"/deep/busybox", b"busybox", lowers=1, truncated=True), b"busybox")

    assert summary(verdict) == (Origin.WRITABLE_LAYER, Content.UNVERIFIED, Drift.UNKNOWN)


def test_image_content_on_a_volume_is_relocated_even_at_the_same_path() -> None:
    """A volume mounted over a directory of the image is not part of the image."""
    root = ContainerRoot(device=make.ROOT_DEVICE, mounts=(make.mount(make.DISK, b"/bin", b"/srv/bin"),))
    verdict = evaluate(make.on_disk(b"/bin/busybox", b"/srv/bin/busybox", b"busybox"), b"busybox", root=root)

    assert summary(verdict) == (Origin.VOLUME, Content.RELOCATED, Drift.YES)


def test_the_verdict_has_the_kind_of_the_volume() -> None:
    path = b"/var/lib/kubelet/pods/1/volumes/kubernetes.io~empty-dir/data/e"
    verdict = evaluate(make.on_disk(b"/data/e", path), b"new")

    assert (*summary(verdict), verdict.volume) == (Origin.VOLUME, Content.ADDED, Drift.YES, VolumeKind.EMPTY_DIR)


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
def test_unread_files_outside_the_image_tree_are_drift(file: FileFacts, origin: Origin) -> None:
    assert summary(evaluate(file, gone)) == (origin, Content.UNVERIFIED, Drift.YES)


def test_a_memfd_is_not_compared_with_image_paths() -> None:
    """The name of a memfd is chosen by the process."""
    verdict = evaluate(make.memfd(b"/bin/ls"), b"new")

    assert summary(verdict) == (Origin.MEMORY, Content.ADDED, Drift.YES)
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
def test_only_files_equal_to_the_image_at_their_path_are_identical(
    data: st.DataObject, content: bytes, image: make.Image | None, changed: bool
) -> None:
    """Promise 1, first half; and drift is ``no`` for nothing else, except unverified files of a lower layer.

    The kernel guarantees the bytes of a lower file, so only its size is compared.
    """
    file = data.draw(files(content))
    verdict = evaluate(file, lambda: make.digest(content, changed=changed), image=image)

    if verdict.content == Content.IDENTICAL:
        path = file.fs_path if file.magic == OVERLAYFS_MAGIC else file.path
        image_file = image.at(path) if image else None
        assert image_file is not None
        assert image_file.sha256 == verdict.sha256
        assert file.device == make.ROOT_DEVICE
        assert is_lower(file, make.ROOT) or image_file.sha256 == make.sha256(content)
    elif verdict.drift == Drift.NO:
        assert verdict.content == Content.UNVERIFIED
        assert (file.device, file.magic, file.upper) == (make.ROOT_DEVICE, OVERLAYFS_MAGIC, False)


@given(st.sampled_from(sorted({b"/bin/busybox": b"busybox", b"/bin/ls": b"ls of the image"}.items())), st.booleans())
def test_an_untouched_image_file_is_never_drift(item: tuple[bytes, bytes], indexed: bool) -> None:
    """Promise 1, second half: readable or not, indexed or not."""
    file = make.lower(*item)

    assert evaluate(file, gone, image=IMAGE if indexed else None).drift == Drift.NO


@given(st.data(), CONTENTS, IMAGES)
def test_every_unverified_verdict_has_a_reason(data: st.DataObject, content: bytes, image: make.Image | None) -> None:
    verdict = evaluate(data.draw(files(content)), gone, image=image)

    assert verdict.content in {Content.UNVERIFIED, Content.IDENTICAL}
    assert (": " in verdict.reason) == (verdict.content == Content.UNVERIFIED)


@given(PATHS, CONTENTS, st.dictionaries(PATHS, CONTENTS))
def test_the_content_of_a_readable_upper_file_follows_its_definition(
    path: bytes, content: bytes, image_files: dict[bytes, bytes]
) -> None:
    """The definitions of DESIGN.md, section 2."""
    verdict = evaluate(make.upper(path, content), content, image=make.Image(image_files))

    if image_files.get(path) == content:
        expected = Content.IDENTICAL
    elif content in image_files.values():
        expected = Content.RELOCATED
    else:
        expected = Content.MODIFIED if path in image_files else Content.ADDED
    assert verdict.content == expected
    assert (verdict.drift == Drift.NO) == (expected == Content.IDENTICAL)
