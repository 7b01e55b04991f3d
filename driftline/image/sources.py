"""Images on disk that a user names on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from driftline import errors
from driftline.image import docker, files, oci
from driftline.image.build import Blobs
from driftline.image.limits import Limits

__all__ = ["ImageSource", "open_image"]


@dataclass(frozen=True, slots=True)
class ImageSource:
    """An image whose layers can be read while its source is open."""

    digest: str
    """Digest of the manifest; of the configuration for ``docker save`` archives."""
    layers: Blobs
    """Layers as archives, bottom first."""


@contextmanager
def open_image(name: str, *, platform: str = "", limits: Limits | None = None) -> Iterator[ImageSource]:
    """Open ``oci:PATH[:REF]``, ``docker-archive:PATH[:REF]``, or the path of a layout or archive.

    An OCI layout is a directory or a tar archive; ``REF`` is an image name or digest in it.
    ``platform`` is ``os/architecture[/variant]``, "" for the platform of this machine; it applies to
    OCI layouts only. Raises ``InvalidReference`` if ``name`` is not an image on disk or matches
    several images, ``ImageNotFound`` if the source lacks the image, ``CorruptImage`` if it is malformed.
    """
    find = _BY_SCHEME.get(name.partition(":")[0])
    path, reference = _split(name.partition(":")[2]) if find else (Path(name), "")
    if path.is_dir():
        yield _as_source((find or _find_any)(files.Directory(path), reference, platform))
    elif path.exists():
        with files.open_archive(path, limits=limits) as archive:
            yield _as_source((find or _find_any)(archive, reference, platform))
    else:
        raise errors.InvalidReference(f"{path}: no such file or directory; expected an OCI layout or image archive")


def _split(rest: str) -> tuple[Path, str]:
    # Paths may contain colons, and so may references (name:tag, sha256:…). The longest prefix
    # that exists is the path; with none, the whole text is the path of the error message.
    path, reference = rest, ""
    while not Path(path).exists() and ":" in path:
        path, _, tail = path.rpartition(":")
        reference = f"{tail}:{reference}" if reference else tail
    return (Path(path), reference) if Path(path).exists() else (Path(rest), "")


def _as_source(image: oci.Image) -> ImageSource:
    return ImageSource(image.digest, Blobs(image.layers))


def _find_any(source: files.Files, reference: str, platform: str) -> oci.Image:
    # OCI first: Docker 25.0 and later write both documents, and only the layout has manifest digests.
    if oci.is_layout(source):
        return oci.find_image(source, reference, platform=platform)
    if docker.is_archive(source):
        return docker.find_image(source, reference)
    raise errors.InvalidReference(
        f"{source.location} is no image: expected index.json (OCI layout) or manifest.json (docker save) in it"
    )


def _find_oci(source: files.Files, reference: str, platform: str) -> oci.Image:
    if not oci.is_layout(source):
        raise errors.InvalidReference(f"{source.location} is no OCI image layout: it has no index.json")
    return oci.find_image(source, reference, platform=platform)


def _find_docker(source: files.Files, reference: str, _platform: str) -> oci.Image:
    if not docker.is_archive(source):
        raise errors.InvalidReference(f"{source.location} is no docker-save archive: it has no manifest.json")
    return docker.find_image(source, reference)


_BY_SCHEME: dict[str, Callable[[files.Files, str, str], oci.Image]] = {
    "oci": _find_oci,
    "oci-archive": _find_oci,
    "docker-archive": _find_docker,
}
