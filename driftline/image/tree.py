"""Layers as directory trees in memory, and their merge.

A layer is read on its own (``Layer``) and then laid over the layers below it (``merge``), as
overlayfs does, because that is the file system that a container sees: containerd, Docker and
buildah unpack each layer into a directory of its own. Hence a layer that holds ``lib/x`` but no
``lib`` hides a symlink ``lib`` of the layer below with a directory, although extracting one
archive over the other would follow the symlink.

Where the image-spec leaves a choice, the tree is what containerd unpacks (its archive/tar.go, 1.6 to
2.1), since that is what runs:

- Whiteouts hide lower layers only (OCI image-spec v1.1, layer.md, "Whiteouts"). A later member of the
  same name replaces the whiteout, so that a directory merges with the one below.
- The bottom layer has nothing below: there a whiteout removes what the layer has had so far, and an
  opaque whiteout the directories that have had no member of their own.
- An opaque whiteout in the image's root has no effect.
- The image's root has mode 0755 and belongs to root; a member for it is ignored.
- A global PAX header removes what the layer has had at its name so far.
- A hard link gives its own mode, owner and capabilities to the file that it links to.

The module touches no file system. A path that leads out of the image ends at the image's root,
as in the function ``RootPath`` of containerd's ``continuity/fs``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from driftline import errors
from driftline.image.entry import Kind
from driftline.image.limits import Budget

__all__ = ["Directory", "Layer", "Node", "find", "merge", "split", "walk"]

MAX_SYMLINKS = 255  # on the way to one path, as in continuity's fs.RootPath


class Node:
    """File of any kind but directory. Hard links of one layer share their node.

    ``layer`` is the number of the layer that last changed the file; ``device`` its ``st_rdev``; ``capabilities`` the
    value of its xattr ``security.capability``.
    """

    __slots__ = ("capabilities", "device", "gid", "kind", "layer", "mode", "ref", "size", "uid")

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
        capabilities: bytes = b"",
    ) -> None:
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.layer = layer
        self.size = size
        self.ref = ref  # SHA-256 of a regular file (32 bytes), target of a symlink
        self.device = device
        self.capabilities = capabilities


class Directory(Node):
    """Directory of one layer, or of the merged image.

    ``whiteouts`` are names of lower layers that this directory hides; ``opaque`` hides all of them.
    ``implied`` directories have no entry in the layer, only children.
    """

    __slots__ = ("children", "implied", "opaque", "whiteouts")

    def __init__(self, *, mode: int = 0o755, uid: int = 0, gid: int = 0, layer: int = 0, implied: bool = False) -> None:
        super().__init__(Kind.DIRECTORY, mode=mode, uid=uid, gid=gid, layer=layer)
        self.children: dict[bytes, Node] = {}
        self.whiteouts: set[bytes] = set()
        self.opaque = False
        self.implied = implied

    def take_attributes(self, other: Node) -> None:
        """Copy mode, owner and layer number of ``other``."""
        self.mode, self.uid, self.gid, self.layer = other.mode, other.uid, other.gid, other.layer
        self.implied = False


def split(path: bytes) -> list[bytes]:
    """Return the components of a path, cleaned lexically as by Go's ``filepath.Clean``.

    ``..`` removes the component before it and stops at the root; symlinks are not considered.
    """
    parts: list[bytes] = []
    for part in path.split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part and part != b".":
            parts.append(part)
    return parts


class Layer:
    """One layer under construction; later additions replace earlier ones.

    ``lower`` is the merge of the layers below, the target of hard links only. Every method raises
    ``CorruptImage`` for paths that exceed ``budget`` or lead through a file.
    """

    def __init__(self, lower: Directory, *, number: int, budget: Budget) -> None:
        self.root = Directory(layer=number, implied=True)
        self._lower = lower
        self._number = number
        self._is_bottom = number == 0
        self._budget = budget

    def add(self, path: bytes, node: Node) -> Node:
        """Put ``node`` at ``path`` and return the node that is existing now.

        A directory added where the layer already has one only changes its attributes, so that its
        children remain. The image's root stays as it is.
        """
        parts = self._spend(path, node.ref if node.kind is Kind.SYMLINK else b"")
        if not parts:
            return self.root
        parent = self._parent(parts)
        parent.whiteouts.discard(parts[-1])
        existing = parent.children.get(parts[-1])
        if isinstance(existing, Directory) and isinstance(node, Directory):
            existing.take_attributes(node)
            return existing
        parent.children[parts[-1]] = node
        return node

    def add_link(self, path: bytes, target: bytes, *, mode: int, uid: int, gid: int, capabilities: bytes = b"") -> None:
        """Put a hard link at ``path`` to a file of this layer, or of the layers below.

        The file takes the link's mode (except a symlink, which has none), owner and capabilities: setting the owner
        removes those that it had (chown(2)). Raises ``CorruptImage`` if the target is missing or a directory (link(2)
        refuses directories).
        """
        if not split(path):
            return
        parts = split(target)
        node = find(self.root, parts) or find(self._lower, parts)
        if node is None or isinstance(node, Directory):
            problem = "a directory" if node else "which no layer has so far"
            raise errors.CorruptImage(f"{path!r} is a hard link to {target!r}, {problem}")
        # A link to a lower layer's file is a copy in this one, as after unpacking.
        linked = node if node.layer == self._number else _moved(node, self._number)
        linked.uid, linked.gid = uid, gid
        linked.capabilities = capabilities if linked.kind is Kind.FILE else b""
        if linked.kind is not Kind.SYMLINK:
            linked.mode = mode
        self.add(path, linked)

    def remove(self, path: bytes) -> None:
        """Remove what the layer has had at ``path`` so far; the layers below stay visible."""
        parts = self._spend(path)
        if parts:
            parent = self._parent(parts)
            parent.children.pop(parts[-1], None)
            parent.whiteouts.discard(parts[-1])

    def add_whiteout(self, path: bytes) -> None:
        """Hide ``path`` of the layers below (layer.md, "Whiteouts"); in the bottom layer, remove it."""
        parts = self._spend(path)
        if not parts:
            raise errors.CorruptImage(f"a whiteout of the image's root: {path!r}")
        parent = self._parent(parts)
        if self._is_bottom:
            parent.children.pop(parts[-1], None)
        else:
            parent.whiteouts.add(parts[-1])

    def add_opaque(self, path: bytes) -> None:
        """Hide everything that the layers below have in the directory ``path`` (layer.md, "Opaque Whiteout").

        In the root it has no effect: overlayfs does not look for the mark there.
        """
        parts = self._spend(path)
        directory = self._walk_to(parts)
        if self._is_bottom:
            _remove_implied(directory)
        else:
            directory.opaque = bool(parts)

    def replace_with_whiteout(self, path: bytes) -> None:
        """Put a whiteout in overlayfs's own form, a device 0:0, which replaces a file of this layer."""
        parts = self._spend(path)
        if parts:
            parent = self._parent(parts)
            parent.whiteouts.add(parts[-1])
            parent.children.pop(parts[-1], None)

    def _spend(self, path: bytes, target: bytes = b"") -> list[bytes]:
        self._budget.check_path(path)
        self._budget.check_path(target)
        self._budget.spend_entry(len(path) + len(target))
        return split(path)

    def _parent(self, parts: Sequence[bytes]) -> Directory:
        return self._walk_to(parts[:-1])

    # Missing parents are made, as unpacking tools do; each counts as an entry, so that a short
    # header with a long path cannot make more directories than the limits allow.
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


# In the bottom layer containerd removes everything in the directory that has had no member of its own.
def _remove_implied(directory: Directory) -> None:
    pending = [directory]
    while pending:
        here = pending.pop()
        for name, child in tuple(here.children.items()):
            if isinstance(child, Directory):
                if child.implied:
                    del here.children[name]
                else:
                    pending.append(child)


def find(root: Directory, parts: Sequence[bytes]) -> Node | None:
    """Return the node at a path, or ``None``; follow symlinks in all components but the last."""
    if not parts:
        return root
    path = _Walk(root)
    if path.follow(parts[:-1]) is not None or path.blocked:
        return None
    return path.here.children.get(parts[-1])


class _Walk:
    # A walk down directories that follows symlinks and never leaves the root. ``follow`` returns the
    # first missing name, so that the caller can create it and continue with ``rest``; it sets
    # ``blocked`` at a file that is neither directory nor symlink.

    def __init__(self, root: Directory) -> None:
        self._stack = [root]
        self._pending: list[bytes] = []
        self._links = 0
        self.blocked = False
        self.budget: Budget | None = None

    @property
    def here(self) -> Directory:
        return self._stack[-1]

    def rest(self) -> list[bytes]:
        return self._pending[::-1]

    def follow(self, parts: Sequence[bytes]) -> bytes | None:
        self._pending = list(parts[::-1])
        while self._pending:
            name = self._pending.pop()
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
        # An absolute target starts at the image's root, not at the machine's.
        if target.startswith(b"/"):
            del self._stack[1:]
        self._pending.extend(target.split(b"/")[::-1])


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
        capabilities=node.capabilities,
    )


def merge(lower: Directory, upper: Directory) -> Directory:
    """Lay ``upper`` over ``lower`` and return the result, which reuses the nodes of both.

    A directory whose attributes the upper layer repeats unchanged keeps the lower layer's number:
    unpacking tools write such copies for parents that a layer does not list.
    """
    if upper.implied or (lower.mode, lower.uid, lower.gid) == (upper.mode, upper.uid, upper.gid):
        upper.take_attributes(lower)
    # overlayfs.rst, "whiteouts and opaque directories": an opaque directory hides the whole lower
    # directory; directories of the same name merge, any other pair shows the upper one.
    below = {} if upper.opaque else lower.children
    for name, node in below.items():
        if name in upper.whiteouts:
            continue
        above = upper.children.setdefault(name, node)
        if above is not node and isinstance(above, Directory) and isinstance(node, Directory):
            merge(node, above)
    return upper


def walk(root: Directory) -> Iterator[tuple[bytes, Node]]:
    """Yield every path with its node, in no particular order; the root is ``/``."""
    yield b"/", root
    pending = [(b"", root)]
    while pending:
        prefix, directory = pending.pop()
        for name, node in directory.children.items():
            path = prefix + b"/" + name
            yield path, node
            if isinstance(node, Directory):
                pending.append((path, node))
