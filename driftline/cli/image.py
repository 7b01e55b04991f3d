"""``driftline image``: the content of an image, and the differences between two images."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.table import Table
from rich.text import Text

from driftline import cluster, errors, image
from driftline.cli._shared import line_table
from driftline.cli._shared.options import DEFAULT_IMAGES, ObjectOutput, Runtime
from driftline.cli._shared.tables import print_table
from driftline.image import Entry, ImageCache, ImageIndex
from driftline.printable import printable

app = App(name="image")

_MAX_PATH_LENGTH = 1 << 16  # more than a path of 4,096 bytes (PATH_MAX) whose bytes are all escaped
_EXIT_DIFFERENT = 3
_SCHEMES = ("oci:", "oci-archive:", "docker-archive:")

ImageName = Annotated[
    str,
    Parameter(
        help="An image: an OCI layout (directory or archive), a docker-save archive, `oci:PATH[:REF]`, "
        "`docker-archive:PATH[:REF]`, an index file, or the name of an image in containerd."
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """Options that tell how to open an image.

    Parameters
    ----------
    cache
        Directory of the cached image indexes; a missing index is built and kept there.
    platform
        Platform to choose from a multi-platform image, as OS/ARCHITECTURE. Default: the platform of this machine.
    """

    cache: Path = DEFAULT_IMAGES
    runtime: Runtime = ""
    platform: str = ""


@app.command
def index(name: ImageName, *, options: ImageOptions | None = None, output: ObjectOutput = "table") -> None:
    """Index the content of an image unless the cache has the index, and print its totals."""
    started = time.perf_counter()
    with _opened(name, options) as found:
        sizes = [entry.size for entry in found if entry.kind is image.Kind.FILE]
        facts = {
            "digest": found.digest,
            "entries": len(found),
            "files": len(sizes),
            "bytes": sum(sizes),
            "seconds": round(time.perf_counter() - started, 3),
        }
    _print_facts(facts, output)


@app.command
def show(
    name: ImageName,
    path: str,
    *,
    options: ImageOptions | None = None,
    output: ObjectOutput = "table",
) -> None:
    """Show the file at a path of an image: kind, mode, owner, digest, layer, and paths with the same content.

    Parameters
    ----------
    path
        Absolute path in the image. A symbolic link is shown with the file that it leads to.
    """
    if not path.startswith("/"):
        raise errors.InvalidInput(f"expected an absolute path in the image, such as /bin/sh; got {path!r}")
    with _opened(name, options) as found:
        _print_facts(_facts_of(found, path), output)


@app.command
def diff(
    before: ImageName,
    after: ImageName,
    *,
    options: ImageOptions | None = None,
    output: Literal["table", "json"] = "table",
) -> int:
    """List the paths that differ between two images: added, removed, or of another kind, content, mode or owner.

    The capabilities of files are compared as well. Exits with code 0 if no path differs, and with code 3 if any does.

    Parameters
    ----------
    output
        Output format: table for people, json for one object a line.
    """
    with _opened(before, options) as left, _opened(after, options) as right:
        changes = image.diff(left, right)
        count = _print_lines(changes) if output == "json" else _print_changes(changes)
    return _EXIT_DIFFERENT if count else 0


# Images by name


@contextmanager
def _opened(name: str, given: ImageOptions | None) -> Iterator[ImageIndex]:
    options = given or ImageOptions()
    # A name that could be both a path and a reference is a path if the path exists.
    if name.startswith(_SCHEMES) or Path(name).exists() or name.startswith(("/", "./", "../")):
        with _opened_file(name, options) as found:
            yield found
        return
    layers = cluster.image_layers(name, address=options.runtime)
    with _cached(options.cache, layers.digest, _layers_of(layers)) as found:
        yield found


@contextmanager
def _opened_file(name: str, options: ImageOptions) -> Iterator[ImageIndex]:
    if image.is_index(name):
        with image.open_index(name) as found:
            yield found
        return
    with (
        image.open_image(name, platform=options.platform) as source,
        _cached(options.cache, source.digest, source.layers) as found,
    ):
        yield found


def _cached(cache: Path, digest: str, layers: image.Layers) -> ImageIndex:
    indexes = ImageCache(cache)
    found = indexes.get(digest)
    return indexes.build(digest, layers) if found is None else found


def _layers_of(layers: cluster.ImageLayers) -> image.Layers:
    return image.LowerDirs(layers.lowerdirs) if layers.lowerdirs else image.Blobs(layers.blobs)


# Output


def _facts_of(found: ImageIndex, path: str) -> dict[str, Any]:
    raw = path.encode("utf-8", "surrogateescape")
    # The entry itself, so that a symbolic link is shown as one; else the file at the end of links in the path.
    entry = found.at(raw) or found.resolve(raw)
    if entry is None:
        raise errors.ImageNotFound(f"{found.digest} has nothing at {path}")
    facts = _entry_facts(entry)
    if entry.kind is image.Kind.SYMLINK:
        end = found.resolve(raw)
        facts["leads_to"] = _entry_facts(end) if end else None
    elif entry.kind is image.Kind.FILE:
        facts["same_content"] = [_text(other) for other in found.paths_of(entry.sha256) if other != entry.path]
    return facts


def _entry_facts(entry: Entry) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "path": _text(entry.path),
        "kind": entry.kind.value,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "layer": entry.layer,
    }
    if entry.kind is image.Kind.FILE:
        facts |= {"size": entry.size, "sha256": entry.sha256}
        facts |= {"capabilities": image.capabilities_text(entry.capabilities)} if entry.capabilities else {}
    elif entry.kind is image.Kind.SYMLINK:
        facts["target"] = _text(entry.target)
    return facts


def _change_facts(change: image.Change) -> dict[str, Any]:
    before, after = (_entry_facts(side) if side else None for side in (change.before, change.after))
    return {"path": _text(change.path), "change": change.aspect.value, "before": before, "after": after}


def _text(raw: bytes) -> str:
    return printable(raw, _MAX_PATH_LENGTH)


def _print_facts(facts: dict[str, Any], output: ObjectOutput) -> None:
    if output == "json":
        print(json.dumps(facts))
        return
    table = Table.grid(padding=(0, 2))
    for key, value in facts.items():
        for label, shown in _lines(key, value):
            table.add_row(Text(label, style="bold"), Text(shown))
    print_table(table)


def _lines(key: str, value: Any) -> Sequence[tuple[str, str]]:
    label = key.replace("_", " ")
    if isinstance(value, dict):
        return [(f"{label}: {inner}", str(shown)) for inner, shown in value.items()]
    if isinstance(value, list):
        return [(label, item) for item in value]
    return [(label, "nothing" if value is None else str(value))]


def _print_lines(changes: Iterator[image.Change]) -> int:
    count = 0
    for count, change in enumerate(changes, 1):  # noqa: B007 (the last number is the count)
        print(json.dumps(_change_facts(change)))
    return count


def _print_changes(changes: Iterator[image.Change]) -> int:
    rows = []
    for change in changes:
        sides = (_aspect_of(change.aspect, side) for side in (change.before, change.after))
        rows.append([Text(cell) for cell in (change.aspect.value, _text(change.path), *sides)])
    line_table.print_table(("change", "path", "before", "after"), rows)
    return len(rows)


def _aspect_of(aspect: image.Aspect, side: Entry | None) -> str:
    if side is None:
        return ""
    if aspect == image.Aspect.MODE:
        return f"{side.mode:04o}"
    if aspect == image.Aspect.OWNER:
        return f"{side.uid}:{side.gid}"
    if aspect == image.Aspect.CAPABILITIES:
        return image.capabilities_text(side.capabilities) or "none"
    if aspect == image.Aspect.CONTENT:
        return side.sha256[:12] or _text(side.target) or f"device {side.device:#x}"
    return side.kind.value
