from pathlib import Path

import pytest

from driftline import image
from driftline.image import Aspect
from tests.image import making
from tests.image.making import archive, directory, member, symlink


def test_changes_come_in_path_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    before = making.build(
        tmp_path,
        archive(
            member("content", data=b"1"),
            member("gone"),
            directory("kind"),
            member("mode"),
            member("owner"),
            member("same"),
            symlink("target", "a"),
        ),
    )
    after = making.build(
        tmp_path / "b",
        archive(member("same")),
        archive(
            member("content", data=b"2", mode=0o755),
            member("kind"),
            member("mode", mode=0o4644),
            member("new"),
            member("owner", gid=5),
            symlink("target", "b"),
        ),
    )
    assert [(change.path, change.aspect) for change in image.diff(before, after)] == [
        (b"/content", Aspect.CONTENT),
        (b"/content", Aspect.MODE),
        (b"/gone", Aspect.REMOVED),
        (b"/kind", Aspect.KIND),
        (b"/mode", Aspect.MODE),
        (b"/new", Aspect.ADDED),
        (b"/owner", Aspect.OWNER),
        (b"/target", Aspect.CONTENT),
    ]


def test_an_image_does_not_differ_from_itself(tmp_path: Path) -> None:
    index = making.build(tmp_path, archive(member("a/b"), symlink("c", "d")))
    assert list(image.diff(index, index)) == []


def test_change_has_both_entries(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    before = making.build(tmp_path, archive(member("f", data=b"1")))
    after = making.build(tmp_path / "b", archive(member("f", data=b"2")))
    (change,) = image.diff(before, after)
    assert (change.before, change.after) == (making.file_entry(b"/f", b"1"), making.file_entry(b"/f", b"2"))


def test_truth_value_of_an_aspect_raises() -> None:
    with pytest.raises(TypeError, match="compare an Aspect"):
        bool(Aspect.MODE)
