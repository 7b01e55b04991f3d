import tarfile
from pathlib import Path

import pytest

from driftline.errors import CorruptImage
from driftline.image import Kind, tree
from tests.image import making
from tests.image.making import archive, directory, link, member, names, symlink


@pytest.mark.parametrize(
    ("path", "parts"),
    [(b"/", []), (b"./a//b/", [b"a", b"b"]), (b"../../a", [b"a"]), (b"a/../b", [b"b"]), (b"a/../../..", [])],
)
def test_paths_are_cleaned_lexically(path: bytes, parts: list[bytes]) -> None:
    assert tree.split(path) == parts


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../etc/passwd", "etc/./passwd"])
def test_paths_never_leave_the_image(tmp_path: Path, name: str) -> None:
    assert names(making.build(tmp_path, archive(member(name)))) == [b"/", b"/etc", b"/etc/passwd"]


@pytest.mark.parametrize("target", ["/real", "../../../real", "real", "./x/../real"])
def test_a_symlinked_parent_is_followed_inside_its_layer(tmp_path: Path, target: str) -> None:
    index = making.build(tmp_path, archive(directory("real"), directory("x"), symlink("s", target), member("s/f")))
    assert index.at(b"/real/f")
    assert index.at(b"/s/f") is None


def test_a_symlink_of_a_lower_layer_is_hidden_by_a_directory(tmp_path: Path) -> None:
    index = making.build(tmp_path, archive(directory("usr/lib"), symlink("lib", "usr/lib")), archive(member("lib/f")))
    assert names(index) == [b"/", b"/lib", b"/lib/f", b"/usr", b"/usr/lib"]


def test_a_loop_of_symlinks_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(CorruptImage, match="255 symlinks"):
        making.build(tmp_path, archive(symlink("a", "b"), symlink("b", "a"), member("a/f")))


def test_path_below_a_file_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(CorruptImage, match="not a directory"):
        making.build(tmp_path, archive(member("a"), member("a/b")))


@pytest.mark.parametrize(
    "root", [directory("./", mode=0o700, uid=5), symlink(".", "/etc"), member("/"), link(".", "missing")]
)
def test_a_member_for_the_root_is_ignored(tmp_path: Path, root: tuple[tarfile.TarInfo, bytes]) -> None:
    found = making.build(tmp_path, archive(root)).at(b"/")
    assert found
    assert (found.kind, found.mode, found.uid) == (Kind.DIRECTORY, 0o755, 0)


def test_hard_link_shares_the_linked_file(tmp_path: Path) -> None:
    index = making.build(tmp_path, archive(member("a", data=b"x"), link("b", "a"), link("c", "./b")))
    assert [index.at(b"/b"), index.at(b"/c")] == [making.file_entry(b"/b", b"x"), making.file_entry(b"/c", b"x")]


def test_a_hard_link_gives_its_mode_and_owner_to_the_linked_file(tmp_path: Path) -> None:
    su = member("su", tarfile.LNKTYPE, linkname="app", mode=0o4755, uid=5)
    index = making.build(tmp_path, archive(member("app", data=b"x", mode=0o755), su))
    assert [index.at(b"/app"), index.at(b"/su")] == [
        making.file_entry(b"/app", b"x", mode=0o4755, uid=5),
        making.file_entry(b"/su", b"x", mode=0o4755, uid=5),
    ]


def test_a_hard_link_may_lead_to_a_lower_layer(tmp_path: Path) -> None:
    index = making.build(tmp_path, archive(member("d/a", data=b"x")), archive(link("b", "/d/a")))
    assert index.at(b"/b") == making.file_entry(b"/b", b"x", layer=1)


@pytest.mark.parametrize(("target", "what"), [("missing", "no layer has"), ("d", "a directory"), ("..", "a directory")])
def test_a_hard_link_to_no_file_is_corrupt(tmp_path: Path, target: str, what: str) -> None:
    with pytest.raises(CorruptImage, match=what):
        making.build(tmp_path, archive(directory("d"), link("b", target)))


def test_a_directory_keeps_its_content_when_listed_again(tmp_path: Path) -> None:
    index = making.build(tmp_path, archive(directory("d"), member("d/f"), directory("d", mode=0o711)))
    found = index.at(b"/d")
    assert found
    assert (found.mode, names(index)) == (0o711, [b"/", b"/d", b"/d/f"])


def test_file_in_place_of_a_directory_hides_its_children(tmp_path: Path) -> None:
    assert names(making.build(tmp_path, archive(member("d/f")), archive(member("d")))) == [b"/", b"/d"]
    assert names(making.build(tmp_path, archive(member("d/f"), member("d")))) == [b"/", b"/d"]


def test_an_unlisted_parent_keeps_the_attributes_of_the_layer_below(tmp_path: Path) -> None:
    index = making.build(tmp_path, archive(directory("d", mode=0o700, uid=9)), archive(member("d/f")))
    found = index.at(b"/d")
    assert found
    assert (found.mode, found.uid, found.layer) == (0o700, 9, 0)
