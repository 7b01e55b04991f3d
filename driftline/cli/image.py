"""``driftline image``: what an image holds, and how two images differ."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from cyclopts import App
from rich.console import Console
from rich.table import Table
from rich.text import Text

from driftline import cluster, errors, image
from driftline.image import Entry, ImageCache, ImageIndex
from driftline.verdict import printable

app = App(name="image", help="Index what images hold, look paths up, compare images.")

Output = Literal["table", "json"]
DEFAULT_CACHE = Path("/var/lib/driftline/images")
LONGEST = 1 << 16  # more than the escapes of a path of 4,096 bytes
SCHEMES = ("oci:", "oci-archive:", "docker-archive:")


@app.command
def index(
    name: str, *, cache: Path = DEFAULT_CACHE, runtime: str = "", platform: str = "", output: Output = "table"
) -> None:
    """Index an image's content, unless the cache has it.

    Parameters
    ----------
    name
        An OCI layout (directory or archive), a docker-save archive, ``oci:PATH[:REF]``,
        ``docker-archive:PATH[:REF]``, an index file, or an image that containerd has.
    cache
        Directory of the indexes.
    runtime
        Socket of containerd; found among the usual ones if not given.
    platform
        ``os/architecture`` to choose of a multi-platform layout; this machine's if not given.
    output
        For people, or JSON.
    """
    started = time.perf_counter()
    with _opened(name, cache, runtime, platform) as found:
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
    name: str,
    path: str,
    *,
    cache: Path = DEFAULT_CACHE,
    runtime: str = "",
    platform: str = "",
    output: Output = "table",
) -> None:
    """Show what an image has at a path.

    Parameters
    ----------
    name
        The image, as for ``driftline image index``.
    path
        Absolute path in the image.
    cache
        Directory of the indexes.
    runtime
        Socket of containerd; found among the usual ones if not given.
    platform
        ``os/architecture`` to choose of a multi-platform layout; this machine's if not given.
    output
        For people, or JSON.
    """
    if not path.startswith("/"):
        raise errors.InvalidInput(f"expected an absolute path in the image, such as /bin/sh; got {path!r}")
    with _opened(name, cache, runtime, platform) as found:
        _print_facts(_facts_of(found, path), output)


@app.command
def diff(
    before: str,
    after: str,
    *,
    cache: Path = DEFAULT_CACHE,
    runtime: str = "",
    platform: str = "",
    output: Output = "table",
) -> None:
    """List what differs between two images: added, removed, kind, content, mode, owner.

    Parameters
    ----------
    before
        An image, as for ``driftline image index``.
    after
        The image to compare with it.
    cache
        Directory of the indexes.
    runtime
        Socket of containerd; found among the usual ones if not given.
    platform
        ``os/architecture`` to choose of a multi-platform layout; this machine's if not given.
    output
        A table, or one JSON object a line.
    """
    with _opened(before, cache, runtime, platform) as left, _opened(after, cache, runtime, platform) as right:
        changes = image.diff(left, right)
        if output == "json":
            for change in changes:
                print(json.dumps(_change_facts(change)))
        else:
            _print_changes(changes)


# Images by name


@contextmanager
def _opened(name: str, cache: Path, runtime: str, platform: str) -> Iterator[ImageIndex]:
    if name.startswith(SCHEMES) or Path(name).exists() or name.startswith(("/", "./", "../")):
        with _opened_file(name, cache, platform) as found:
            yield found
        return
    layers = cluster.image_layers(name, address=runtime)
    with _cached(cache, layers.digest, _layers_of(layers)) as found:
        yield found


@contextmanager
def _opened_file(name: str, cache: Path, platform: str) -> Iterator[ImageIndex]:
    if image.is_index(name):
        with image.open_index(name) as found:
            yield found
        return
    with image.open_image(name, platform=platform) as source, _cached(cache, source.digest, source.layers) as found:
        yield found


def _cached(cache: Path, digest: str, layers: image.Layers) -> ImageIndex:
    indexes = ImageCache(cache)
    found = indexes.get(digest)
    return indexes.build(digest, layers) if found is None else found


def _layers_of(layers: cluster.ImageLayers) -> image.Layers:
    return image.LowerDirs(layers.lowerdirs) if layers.lowerdirs else image.Blobs(layers.blobs)


# What is shown


def _facts_of(found: ImageIndex, path: str) -> dict[str, Any]:
    raw = path.encode("utf-8", "surrogateescape")
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
    elif entry.kind is image.Kind.SYMLINK:
        facts["target"] = _text(entry.target)
    return facts


def _change_facts(change: image.Change) -> dict[str, Any]:
    before, after = (_entry_facts(side) if side else None for side in (change.before, change.after))
    return {"path": _text(change.path), "change": change.aspect.value, "before": before, "after": after}


def _text(raw: bytes) -> str:
    return printable(raw, LONGEST)


def _print_facts(facts: dict[str, Any], output: Output) -> None:
    if output == "json":
        print(json.dumps(facts))
        return
    table = Table.grid(padding=(0, 2))
    for key, value in facts.items():
        for label, shown in _lines(key, value):
            table.add_row(Text(label, style="bold"), Text(shown))
    Console().print(table)


def _lines(key: str, value: Any) -> Sequence[tuple[str, str]]:
    label = key.replace("_", " ")
    if isinstance(value, dict):
        return [(f"{label}: {inner}", str(shown)) for inner, shown in value.items()]
    if isinstance(value, list):
        return [(label, item) for item in value]
    return [(label, "nothing" if value is None else str(value))]


def _print_changes(changes: Iterator[image.Change]) -> None:
    table = Table(box=None, header_style="bold")
    for heading in ("change", "path", "before", "after"):
        table.add_column(heading, overflow="fold")
    for change in changes:
        sides = (_aspect_of(change.aspect, side) for side in (change.before, change.after))
        table.add_row(*(Text(cell) for cell in (change.aspect.value, _text(change.path), *sides)))
    Console().print(table)


def _aspect_of(aspect: image.Aspect, side: Entry | None) -> str:
    if side is None:
        return ""
    if aspect == image.Aspect.MODE:
        return f"{side.mode:04o}"
    if aspect == image.Aspect.OWNER:
        return f"{side.uid}:{side.gid}"
    if aspect == image.Aspect.CONTENT:
        return side.sha256[:12] or _text(side.target) or f"device {side.device:#x}"
    return side.kind.value
