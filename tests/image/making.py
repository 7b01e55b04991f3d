"""Layers, blobs and images for the tests, written by the standard library's tarfile."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import zstandard

from driftline import image
from driftline.image import Blob, Blobs, Entry, ImageIndex, Limits

DIGEST = "sha256:" + "d" * 64
OCI_TAR = "application/vnd.oci.image.layer.v1.tar"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
Compress = Callable[[bytes], bytes]
COMPRESS: dict[str, Compress] = {"": bytes, "+gzip": gzip.compress, "+zstd": zstandard.compress}


def member(
    name: str | bytes, kind: bytes = tarfile.REGTYPE, data: bytes = b"", **fields: Any
) -> tuple[tarfile.TarInfo, bytes]:
    """A member: its header and content. ``fields`` are attributes of ``TarInfo``."""
    info = tarfile.TarInfo(os.fsdecode(name))
    info.type, info.size = kind, len(data)
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def directory(name: str | bytes, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.DIRTYPE, **fields)


def symlink(name: str | bytes, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.SYMTYPE, linkname=target)


def link(name: str | bytes, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.LNKTYPE, linkname=target)


def device(name: str, major: int, minor: int) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, tarfile.CHRTYPE, devmajor=major, devminor=minor)


def archive(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar archive of the members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob(data: bytes, compression: str = "") -> Blob:
    """A layer blob of an archive, compressed, with its right digests."""
    packed = COMPRESS[compression](data)
    return Blob(sha256(packed), OCI_TAR + compression, lambda: io.BytesIO(packed), sha256(data))


def build(path: Path, *archives: bytes, limits: Limits | None = None) -> ImageIndex:
    """The index of an image of these archives, bottom first, below the directory ``path``."""
    return build_blobs(path, *map(blob, archives), limits=limits)


def build_blobs(path: Path, *blobs: Blob, limits: Limits | None = None) -> ImageIndex:
    image.build_index(DIGEST, Blobs(blobs), path / "image.index", limits=limits)
    return image.open_index(path / "image.index")


def names(entries: ImageIndex) -> list[bytes]:
    return [entry.path for entry in entries]


def file_entry(path: bytes, data: bytes, **fields: Any) -> Entry:
    """The entry of a regular file, owned by root with mode 0644, of layer 0, by default."""
    shown: dict[str, Any] = {"mode": 0o644, "uid": 0, "gid": 0, "layer": 0} | fields
    digest = hashlib.sha256(data).hexdigest()
    return Entry(path, image.Kind.FILE, len(data), sha256=digest, target=b"", **shown)


def write_layout(path: Path, images: dict[str, Sequence[Blob]], **descriptor: Any) -> dict[str, str]:
    """Write an OCI layout with one image for each reference name; return their digests."""
    found, listed = {}, []
    for name, layers in images.items():
        entry = write_manifest(path, layers)
        found[name] = entry["digest"]
        listed.append(entry | {"annotations": {"org.opencontainers.image.ref.name": name}} | descriptor)
    write_index(path, listed)
    return found


def write_manifest(path: Path, layers: Sequence[Blob]) -> dict[str, Any]:
    """Write the blobs, the config and the manifest of an image; return the manifest's descriptor."""
    rootfs = {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
    listed = []
    for layer in layers:
        with layer.open() as file:
            packed = file.read()
        listed.append({"mediaType": layer.media_type, "digest": write_blob(path, packed), "size": len(packed)})
    configured = {"mediaType": OCI_CONFIG, "digest": write_blob(path, config), "size": len(config)}
    manifest = json.dumps({"schemaVersion": 2, "config": configured, "layers": listed}).encode()
    digest = write_blob(path, manifest)
    return {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": len(manifest)}


def write_index(path: Path, manifests: Sequence[dict[str, Any]]) -> None:
    path.mkdir(exist_ok=True)
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))


def write_blob(path: Path, data: bytes) -> str:
    digest = sha256(data)
    place = path / "blobs" / digest.replace(":", "/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return digest


def pack(directory_path: Path, archive_path: Path) -> Path:
    """Put a directory's files into a tar archive."""
    with tarfile.open(archive_path, "w") as tar:
        tar.add(directory_path, ".")
    return archive_path
