"""Layers as trees in memory, and how they merge.

A layer is read on its own (``Layer``) and then laid over what is below it (``merge``), as
overlayfs does, because that is what a container sees: containerd, Docker and buildah unpack
each layer into a directory of its own. So a layer that holds ``lib/x`` but no ``lib`` hides a
symlink ``lib`` of the layer below with a directory, although extracting one archive over the
other would have followed it. Whiteouts hide lower layers only, in whatever order they come
(OCI image-spec v1.1, layer.md, "Whiteouts").

Nothing here touches a file system: a path that climbs out of the image ends at the image's
root, as in containerd's ``fs.RootPath``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from driftline import errors
from driftline.image.entry import Kind
from driftline.image.limits import Budget

__all__ = ["Directory", "Layer", "Node", "find", "merge", "split", "walk"]

MAX_SYMLINKS = 255  # as continuity's fs.RootPath has it


class Node:
    """A file of any type but directory. Hard links of one layer share it."""

    __slots__ = ("device", "gid", "kind", "layer", "mode", "ref", "size", "uid")

    def __init__(
        self,
        kind: Kind,
        *,
        mode: int,
        uid: int,
        gid: int,
        layer: int,
        size: int = 0,
        ref: bytes = b"",
        device: int = 0,
    ) -> None:
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.layer = layer
        self.size = size
        self.ref = ref  # a file's SHA-256 (32 bytes), a symlink's target
        self.device = device


class Directory(Node):
    """A directory of one layer, or of the merged image."""

    __slots__ = ("children", "implied", "opaque", "whiteouts")

    def __init__(self, *, mode: int = 0o755, uid: int = 0, gid: int = 0, layer: int = 0, implied: bool = False) -> None:
        super().__init__(Kind.DIRECTORY, mode=mode, uid=uid, gid=gid, layer=layer)
        self.children: dict[bytes, Node] = {}
        self.whiteouts: set[bytes] = set()
        self.opaque = False
        self.implied = implied  # named only as the parent of something

    def take_attributes(self, other: Node) -> None:
        self.mode, self.uid, self.gid, self.layer = other.mode, other.uid, other.gid, other.layer
        self.implied = False


def split(path: bytes) -> list[bytes]:
    """Give the components of a path, cleaned by the letter as Go's ``filepath.Clean`` does."""
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part and part != b".":
            parts.append(part)
    return parts


class Layer:
    """One layer under construction; later additions replace earlier ones."""

    def __init__(self, lower: Directory, *, number: int, budget: Budget) -> None:
        self.root = Directory(layer=number, implied=True)
        self._lower = lower
        self._number = number
        self._budget = budget

    def add(self, path: bytes, node: Node) -> Node:
        """Put ``node`` at ``path``; a directory there already only takes its attributes."""
        parts = self._spend(path, node.ref if node.kind is Kind.SYMLINK else b"")
        if not parts:
            return self._replace_root(node)
        parent = self._parent(parts)
        there = parent.children.get(parts[-1])
        if isinstance(there, Directory) and isinstance(node, Directory):
            there.take_attributes(node)
            return there
        parent.children[parts[-1]] = node
        return node

    def add_link(self, path: bytes, target: bytes) -> None:
        """Put a hard link at ``path`` to a file of this layer, else of the layers below."""
        parts = split(target)
        node = find(self.root, parts) or find(self._lower, parts)
        if node is None or isinstance(node, Directory):
            what = "a directory" if node else "which no layer holds so far"
            raise errors.CorruptImage(f"{path!r} is a hard link to {target!r}, {what}")
        self.add(path, node if node.layer == self._number else _moved(node, self._number))

    def add_whiteout(self, path: bytes) -> None:
        """Hide ``path`` of the layers below."""
        parts = self._spend(path)
        if not parts:
            raise errors.CorruptImage(f"a whiteout of the image's root: {path!r}")
        self._parent(parts).whiteouts.add(parts[-1])

    def add_opaque(self, path: bytes) -> None:
        """Hide everything the layers below have in the directory ``path``."""
        self._walk_to(self._spend(path)).opaque = True

    def replace_with_whiteout(self, path: bytes) -> None:
        """Put a whiteout in the form overlayfs itself uses, which takes the place of a file."""
        self.add_whiteout(path)
        parts = split(path)
        self._parent(parts).children.pop(parts[-1], None)

    def _spend(self, path: bytes, target: bytes = b"") -> list[bytes]:
        self._budget.check_path(path)
        self._budget.check_path(target)
        self._budget.spend_entry(len(path) + len(target))
        return split(path)

    def _replace_root(self, node: Node) -> Node:
        if not isinstance(node, Directory):
            raise errors.CorruptImage(f"the image's root is a {node.kind.value}, not a directory")
        self.root.take_attributes(node)
        return self.root

    def _parent(self, parts: Sequence[bytes]) -> Directory:
        return self._walk_to(parts[:-1])

    def _walk_to(self, parts: Sequence[bytes]) -> Directory:
        path = _Walk(self.root)
        path.budget = self._budget
        while (missing := path.follow(parts)) is not None:
            child = Directory(layer=self._number, implied=True)
            self._budget.spend_entry(len(missing))
            path.here.children[missing] = child
            parts = [missing, *path.rest()]
        if path.blocked:
            raise errors.CorruptImage(f"{b'/'.join(parts)!r} lies below something that is not a directory")
        return path.here


def find(root: Directory, parts: Sequence[bytes]) -> Node | None:
    """Look a path up, following symlinks in all components but the last."""
    if not parts:
        return root
    path = _Walk(root)
    if path.follow(parts[:-1]) is not None or path.blocked:
        return None
    return path.here.children.get(parts[-1])


class _Walk:
    # A walk down directories that follows symlinks without ever leaving the root. It stops at
    # a missing name, so that the caller may make it and go on.

    def __init__(self, root: Directory) -> None:
        self._stack = [root]
        self._todo: list[bytes] = []
        self._links = 0
        self.blocked = False
        self.budget: Budget | None = None

    @property
    def here(self) -> Directory:
        return self._stack[-1]

    def rest(self) -> list[bytes]:
        return self._todo[::-1]

    def follow(self, parts: Sequence[bytes]) -> bytes | None:
        self._todo = list(parts[::-1])
        while self._todo:
            name = self._todo.pop()
            if name == b"..":
                self._leave()
                continue
            if not name or name == b".":
                continue
            child = self.here.children.get(name)
            if child is None:
                return name
            if isinstance(child, Directory):
                self._enter(child)
            elif child.kind is Kind.SYMLINK:
                self._follow_link(child.ref)
            else:
                self.blocked = True
                return None
        return None

    def _leave(self) -> None:
        if len(self._stack) > 1:
            self._stack.pop()

    def _enter(self, child: Directory) -> None:
        self._stack.append(child)
        if self.budget:
            self.budget.check_depth(len(self._stack))

    def _follow_link(self, target: bytes) -> None:
        self._links += 1
        if self._links > MAX_SYMLINKS:
            raise errors.CorruptImage(f"more than {MAX_SYMLINKS} symlinks on the way to one path ({target!r})")
        if target.startswith(b"/"):
            del self._stack[1:]
        self._todo.extend(target.split(b"/")[::-1])


def _moved(node: Node, layer: int) -> Node:
    return Node(
        node.kind,
        mode=node.mode,
        uid=node.uid,
        gid=node.gid,
        layer=layer,
        size=node.size,
        ref=node.ref,
        device=node.device,
    )


def merge(lower: Directory, upper: Directory) -> Directory:
    """Lay ``upper`` over ``lower`` and give the result, which reuses the nodes of both.

    A directory whose attributes the upper layer repeats unchanged keeps the lower layer's
    number: unpacking tools write such copies for parents that a layer does not list.
    """
    if upper.implied or (lower.mode, lower.uid, lower.gid) == (upper.mode, upper.uid, upper.gid):
        upper.take_attributes(lower)
    below = {} if upper.opaque else lower.children
    for name, node in below.items():
        if name in upper.whiteouts:
            continue
        above = upper.children.setdefault(name, node)
        if above is not node and isinstance(above, Directory) and isinstance(node, Directory):
            merge(node, above)
    return upper


def walk(root: Directory) -> Iterator[tuple[bytes, Node]]:
    """Give every path with its node, in no particular order, the root as ``/``."""
    yield b"/", root
    todo = [(b"", root)]
    while todo:
        prefix, directory = todo.pop()
        for name, node in directory.children.items():
            path = prefix + b"/" + name
            yield path, node
            if isinstance(node, Directory):
                todo.append((path, node))
