"""Random stacks of layers: as blobs, as unpacked directories, as a real mount, as a naive model."""

import os
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import image
from driftline.image import Kind, LowerDirs
from tests.image import making
from tests.image.test_lowerdirs import indexed, overlay, shown

Operation = tuple[str, str, str]  # what, path, content or target
PARTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)
OPERATIONS = st.tuples(st.sampled_from(["file", "directory", "symlink", "link", "whiteout", "opaque"]), PARTS, PARTS)
STACKS = st.lists(st.lists(OPERATIONS, max_size=8), min_size=1, max_size=4)


def above(path: str) -> list[str]:
    """Parent directories of a path, without the root."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


class Model:
    """Apply the layers in turn to one flat mapping, as layer.md describes; simple and slow."""

    def __init__(self) -> None:
        self.image: dict[str, tuple[str, str]] = {}
        self.count = 0

    def apply(self, operations: Sequence[Operation]) -> tuple["Layer", list[Operation]]:
        """Add a layer; return it and the operations that a container runtime would perform."""
        layer = Layer(self.image, is_bottom=self.count == 0)
        self.count += 1
        taken = [operation for operation in operations if layer.apply(*operation)]
        kept = {path: what for path, what in self.image.items() if not layer.hides(path)}
        self.image = kept | layer.own
        return layer, taken


class Layer:
    """Entries of one layer, and the names that it hides."""

    def __init__(self, lower: dict[str, tuple[str, str]], *, is_bottom: bool) -> None:
        self.lower = lower
        self.is_bottom = is_bottom
        self.listed: set[str] = set()
        self.own: dict[str, tuple[str, str]] = {}
        self.hidden: set[str] = set()
        self.opaque: set[str] = set()

    def apply(self, what: str, path: str, other: str) -> bool:
        ways = [*above(path), path] if what == "opaque" else above(path)
        if any(self.own.get(way, ("directory", ""))[0] != "directory" for way in ways):
            return False
        if what == "link" and (other in ways or not self._is_linkable(other)):
            return False  # a link below its own target is no tree
        self.own |= dict.fromkeys(ways, ("directory", ""))
        if what == "whiteout":
            self._white_out(path)
        elif what == "opaque":
            self._make_opaque(path)
        else:
            self._put(path, self._look(other) if what == "link" else (what, other if what != "directory" else ""))
        return True

    # Below the bottom layer is nothing: containerd removes what the layer itself has so far.
    def _white_out(self, path: str) -> None:
        if self.is_bottom:
            self._drop(path)
        else:
            self.hidden.add(path)

    def _make_opaque(self, path: str) -> None:
        if not self.is_bottom:
            self.opaque.add(path)
            return
        for one in sorted(self.own):
            if one.startswith(f"{path}/") and self.own.get(one, ("", ""))[0] == "directory" and one not in self.listed:
                self._drop(one)

    def _drop(self, path: str) -> None:
        self.own = {one: this for one, this in self.own.items() if one != path and not one.startswith(f"{path}/")}
        self.listed = {one for one in self.listed if one in self.own}

    def hides(self, path: str) -> bool:
        ways = above(path)
        replaced = any(self.own.get(way, ("directory", ""))[0] != "directory" for way in ways)
        return replaced or not self.hidden.isdisjoint([*ways, path]) or not self.opaque.isdisjoint(ways)

    def _is_linkable(self, target: str) -> bool:
        own_ways = [self.own[way][0] for way in above(target) if way in self.own]
        lower_ways = [self.lower[way][0] for way in above(target) if way in self.lower]
        return "symlink" not in own_ways + lower_ways and self._look(target)[0] in ("file", "symlink")

    def _look(self, path: str) -> tuple[str, str]:
        return self.own.get(path) or self.lower.get(path) or ("", "")

    def _put(self, path: str, what: tuple[str, str]) -> None:
        if what[0] != "directory":
            inside = f"{path}/"
            self.own = {one: this for one, this in self.own.items() if not one.startswith(inside)}
            self.hidden = {one for one in self.hidden if not one.startswith(inside)}
            self.opaque = {one for one in self.opaque if one != path and not one.startswith(inside)}
        self.own[path] = what
        self.listed.add(path)
        self.hidden.discard(path)


def as_archive(operations: Sequence[Operation]) -> bytes:
    make: dict[str, Callable[[str, str], tuple[tarfile.TarInfo, bytes]]] = {
        "file": lambda path, other: making.member(path, data=other.encode()),
        "directory": lambda path, _: making.directory(path),
        "symlink": making.symlink,
        "link": making.link,
        "whiteout": lambda path, _: making.member(f"{path.rpartition('/')[0]}/.wh.{path.rpartition('/')[2]}"),
        "opaque": lambda path, _: making.member(f"{path}/.wh..wh..opq"),
    }
    return making.archive(*(make[what](path, other) for what, path, other in operations))


def unpack(layer: Layer, root: Path) -> Path:
    """Write a layer as a snapshotter would."""
    root.mkdir()
    for path, (what, other) in sorted(layer.own.items()):
        place = root / path
        if what == "directory":
            place.mkdir()
            if path in layer.opaque | layer.hidden:
                os.setxattr(place, "trusted.overlay.opaque", b"y")
        elif what == "symlink":
            place.symlink_to(other)
        else:
            place.write_text(other)
    for path in layer.hidden - layer.own.keys():
        os.mknod(root / path, 0o020000, 0)
    return root


def as_model(entries: image.ImageIndex) -> dict[str, tuple[str, str]]:
    digests = {making.sha256(path.encode())[7:]: path for path in _all_paths()}
    found = {}
    for entry in entries:
        content = digests[entry.sha256] if entry.kind == Kind.FILE else entry.target.decode()
        found[entry.path.decode()[1:]] = (entry.kind.value, content)
    found.pop("")
    return found


def _all_paths() -> list[str]:
    one = list("abc")
    two = [f"{x}/{y}" for x in one for y in one]
    return [*one, *two, *(f"{x}/{y}" for x in two for y in one)]


@settings(max_examples=200, deadline=None)
@given(STACKS)
def test_blobs_agree_with_the_model(stack: list[list[Operation]]) -> None:
    model = Model()
    archives = [as_archive(model.apply(operations)[1]) for operations in stack]
    with tempfile.TemporaryDirectory() as place, making.build(Path(place), *archives) as index:
        assert as_model(index) == model.image


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes devices, trusted xattrs, mounts")
@settings(max_examples=60, deadline=None)
@given(STACKS)
def test_unpacked_layers_blobs_and_a_mount_agree(stack: list[list[Operation]]) -> None:
    model = Model()
    layers = [model.apply(operations) for operations in stack]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folders = [unpack(layer, place / str(number)) for number, (layer, _) in enumerate(layers)][::-1]
        image.build_index(making.DIGEST, LowerDirs([os.fsencode(one) for one in folders]), place / "dirs")
        blobs = making.build(place, *(as_archive(taken) for _, taken in layers))
        with blobs, image.open_index(place / "dirs") as dirs, overlay(place, folders) as mount:
            assert indexed(dirs) == shown(mount)
            assert [(e.path, e.kind, e.sha256, e.target) for e in blobs] == [
                (e.path, e.kind, e.sha256, e.target) for e in dirs
            ]


def test_an_image_without_layers_has_a_root(tmp_path: Path) -> None:
    assert making.names(making.build(tmp_path)) == [b"/"]
