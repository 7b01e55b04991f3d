"""Image index against plain tarfile + gzip + sqlite, over a Debian image of more than 15,000 files.

The image is made once by debootstrap, with four layers, under /var/tmp/driftline-bench. Each way
runs three times, in turns; the table has the medians, and the ratio of each to the plain way. Each
build runs in a process of its own, so that its peak memory is its own. Run
``python -m bench.image_index``.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import multiprocessing
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, TypeVar

import zstandard
from rich.console import Console
from rich.table import Table

from driftline import image
from driftline.image import Blob, Blobs, ImageIndex, Kind, LowerDirs
from driftline.image.tar import ChunkStream, members

DIRECTORY = Path("/var/tmp/driftline-bench/image")
DIGEST = "sha256:" + "b" * 64
MIRROR = "http://deb.debian.org/debian"
PACKAGES = "gcc,git,manpages,manpages-dev,perl,python3,python3-pip,vim,curl,locales,openssh-client"
LAYERS = (("usr/share", "usr/include"), ("usr/lib/python3*", "usr/lib/gcc"), ("var", "etc"))
ROUNDS = 3

T = TypeVar("T")
Measured = tuple[float, float]  # seconds, MiB at the peak


def main() -> None:
    """Make the image if necessary, build its index in every way, and print builds, readers and look-ups."""
    prepare()
    ways: dict[str, Callable[[], None]] = {
        "tarfile + gzip + sqlite": build_plainly,
        "driftline, gzip layers": lambda: build_blobs("tar.gz"),
        "driftline, zstd layers": lambda: build_blobs("tar.zst"),
        "driftline, plain layers": lambda: build_blobs("tar"),
        "driftline, unpacked layers": build_lowerdirs,
    }
    figures: dict[str, list[Measured]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, build in ways.items():
            figures[way].append(in_child(build))
    show_builds(figures)
    show_readers()
    show_lookups()


# The image


def prepare() -> None:
    """Make the Debian image with debootstrap, unless it exists."""
    if (DIRECTORY / "done").exists():
        return
    if os.geteuid():
        sys.exit("bench: needs root to run debootstrap")
    subprocess.run(["rm", "-rf", DIRECTORY], check=True)
    DIRECTORY.mkdir(parents=True)
    print("making the image with debootstrap; this takes some minutes", file=sys.stderr)
    root = DIRECTORY / "root"
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", root, MIRROR],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    digests = [pack(number, split(root, number)) for number in range(len(LAYERS) + 1)]
    (DIRECTORY / "layers.json").write_text(json.dumps(digests))
    (DIRECTORY / "done").touch()


def split(root: Path, number: int) -> Path:
    """Return layer ``number`` as an unpacked directory: the paths of LAYERS; 0 is the rest."""
    if not number:
        for layer in range(1, len(LAYERS) + 1):
            split_off(root, DIRECTORY / f"layer{layer}", LAYERS[layer - 1])
        return root.rename(DIRECTORY / "layer0")
    return DIRECTORY / f"layer{number}"


def split_off(root: Path, target: Path, patterns: Sequence[str]) -> None:
    """Move the paths that match ``patterns`` from ``root`` to the same places below ``target``."""
    for path in (found for pattern in patterns for found in root.glob(pattern)):
        destination = target / path.relative_to(root)
        destination.parent.mkdir(parents=True, exist_ok=True)
        path.rename(destination)


def pack(number: int, directory: Path) -> dict[str, str]:
    """Write a layer as tar, tar.gz and tar.zst; return the digest of each."""
    tar = DIRECTORY / f"layer{number}.tar"
    subprocess.run(["tar", "--xattrs", "--format=pax", "-cf", tar, "-C", directory, "."], check=True)
    subprocess.run(["gzip", "-k", "-6", tar], check=True)
    with tar.open("rb") as plain, tar.with_suffix(".tar.zst").open("wb") as packed:
        zstandard.ZstdCompressor(level=3).copy_stream(plain, packed)
    return {form: digest_of(tar.with_name(f"layer{number}.{form}")) for form in ("tar", "tar.gz", "tar.zst")}


def digest_of(path: Path) -> str:
    """Return the digest ``sha256:…`` of a file."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def blobs(form: str) -> Blobs:
    """Return the layers in one form (``tar``, ``tar.gz`` or ``tar.zst``), bottom first."""
    digests = json.loads((DIRECTORY / "layers.json").read_text())
    return Blobs(
        [
            Blob(layer[form], "", opener(DIRECTORY / f"layer{number}.{form}"), layer["tar"])
            for number, layer in enumerate(digests)
        ]
    )


def opener(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb")


# The ways to build


def build_blobs(form: str) -> None:
    """Build the index from archives."""
    image.build_index(DIGEST, blobs(form), DIRECTORY / "index")


def build_lowerdirs() -> None:
    """Build the index from unpacked layers."""
    layers = [os.fsencode(DIRECTORY / f"layer{number}") for number in range(len(LAYERS), -1, -1)]
    image.build_index(DIGEST, LowerDirs(layers), DIRECTORY / "index-of-directories")


def build_plainly() -> None:
    """Build a table in SQLite with gzip and tarfile of the standard library: the obvious solution."""
    (DIRECTORY / "plain.sqlite").unlink(missing_ok=True)
    found: dict[str, tuple[object, ...]] = {}
    for blob in blobs("tar.gz").blobs:
        with blob.open() as raw, gzip.GzipFile(fileobj=raw) as plain, tarfile.open(fileobj=plain, mode="r|") as tar:
            for member in tar:
                found[member.name] = (*facts(tar, member), member.mode, member.uid, member.gid, member.linkname)
    with sqlite3.connect(DIRECTORY / "plain.sqlite") as connection:
        connection.execute("CREATE TABLE f (path PRIMARY KEY, sha256, size, mode, uid, gid, target) WITHOUT ROWID")
        connection.executemany("INSERT INTO f VALUES (?,?,?,?,?,?,?)", ((p, *row) for p, row in found.items()))
        connection.execute("CREATE INDEX by_content ON f (sha256)")
    connection.close()


def facts(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[str, int]:
    """Return the SHA-256 (hexadecimal, "" unless a regular file) and the size of a tar member."""
    file = tar.extractfile(member) if member.isreg() else None
    return (hashlib.file_digest(file, "sha256").hexdigest() if file else "", member.size)  # type: ignore[arg-type]


def in_child(build: Callable[[], None]) -> Measured:
    """Run ``build`` in a forked process; return its seconds and its peak memory in MiB."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    pid = os.fork()
    if not pid:
        started = time.perf_counter()
        build()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sender.send((time.perf_counter() - started, peak))
        os._exit(0)
    os.waitpid(pid, 0)
    measured: Measured = receiver.recv()
    return measured


# What is shown


def show_builds(figures: dict[str, list[Measured]]) -> None:
    """Print time, ratio and peak memory of each way, and the size of the results."""
    with image.open_index(DIRECTORY / "index") as index:
        files = sum(entry.kind == Kind.FILE for entry in index)
        size = sum(entry.size for entry in index)
        title = f"{files} files, {len(index)} entries, {size >> 20} MiB, {len(LAYERS) + 1} layers"
    table = Table("way", "seconds", "ratio", "MiB at the peak", title=title)
    seconds = {way: statistics.median(second for second, _ in runs) for way, runs in figures.items()}
    first = next(iter(seconds.values()))
    for way, runs in figures.items():
        peak = max(peak for _, peak in runs)
        table.add_row(way, f"{seconds[way]:.2f}", f"{seconds[way] / first:.2f}", f"{peak:.0f}")
    Console().print(table)
    for name, path in (("driftline", DIRECTORY / "index"), ("sqlite", DIRECTORY / "plain.sqlite")):
        print(f"{name}: {path.stat().st_size} bytes, {path.stat().st_size / files:.1f} bytes a file")


def show_readers() -> None:
    """Compare the tar reader with tarfile, with the same chunks and hashes."""
    driftline, standard = [], []
    for _ in range(ROUNDS):
        driftline.append(timed(lambda: read_layers(with_members)))
        standard.append(timed(lambda: read_layers(with_tarfile)))
    ratio = statistics.median(standard) / statistics.median(driftline)
    print(f"zstd layers, tar reader only: {statistics.median(driftline):.2f} s, tarfile: {ratio:.2f} times that")


def read_layers(read: Callable[[zstandard.ZstdDecompressionReader], None]) -> None:
    for blob in blobs("tar.zst").blobs:
        with blob.open() as raw, zstandard.ZstdDecompressor().stream_reader(raw) as plain:
            read(plain)


def with_members(plain: zstandard.ZstdDecompressionReader) -> None:
    for _ in members(ChunkStream(iter(lambda: plain.read(1 << 20), b""))):
        pass


def with_tarfile(plain: zstandard.ZstdDecompressionReader) -> None:
    with tarfile.open(fileobj=plain, mode="r|") as tar:
        for member in tar:
            facts(tar, member)


def show_lookups() -> None:
    """Print the time to open an index and to find paths and contents, against SQLite."""
    opened = statistics.median(timed(lambda: image.open_index(DIRECTORY / "index").close()) for _ in range(50))
    print(f"reopened from the cache in {opened * 1000:.2f} ms")
    with image.open_index(DIRECTORY / "index") as index, sqlite3.connect(DIRECTORY / "plain.sqlite") as table:
        show_lookup_times(index, table)
    table.close()


def show_lookup_times(index: ImageIndex, table: sqlite3.Connection) -> None:
    entries = list(index)
    random.Random(0).shuffle(entries)
    paths = [entry.path for entry in entries]
    names = [f".{os.fsdecode(path)}" for path in paths]
    contents = [entry.sha256 for entry in entries if entry.sha256]
    query = "SELECT * FROM f WHERE path = ?"
    plainly = per_item(lambda name: table.execute(query, (name,)).fetchone(), names)
    print(f"by path: {per_item(index.at, paths):.2f} us; sqlite {plainly:.2f} us")
    print(f"by content: {per_item(index.paths_of, contents):.2f} us")
    print(f"listing all: {timed(lambda: list(index)) * 1000:.0f} ms")


def per_item(call: Callable[[T], object], items: Sequence[T]) -> float:
    """Return the microseconds of one call: the median of five rounds over all items."""

    def everything() -> None:
        for item in items:
            call(item)

    return statistics.median(timed(everything) for _ in range(5)) / len(items) * 1e6


def timed(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
