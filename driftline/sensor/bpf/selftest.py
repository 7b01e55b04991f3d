"""Self-test of the overlay facts, run at every start of the sensor.

The BPF programs read overlayfs structures whose layout differs by kernel version, and a silently wrong reading is
worse than none: it makes dropped files look like image files. So the sensor builds a real overlay, executes from it
a file of the lower layer, a copied-up file, a new file, and a new file in the lower layer of a nested overlay, and
compares the records with the facts. If they differ, the sensor does not use overlay facts: it decides by path and
hash alone, and reports the failure.

``python -m driftline.sensor.bpf.selftest DIRECTORY`` is the child process that builds the overlays. Its mounts are
in a mount namespace of its own and disappear with it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from driftline.sensor.bpf import records
from driftline.sensor.bpf.kernel import KernelSide

__all__ = ["program", "run_selftest"]

_CLONE_NEWNS, _MS_REC, _MS_PRIVATE = 0x20000, 0x4000, 1 << 18  # linux/sched.h, linux/mount.h
_WAIT_SECONDS = 5.0
"""Seconds to wait for the records; they are in the ring before the child has ended, unless the kernel lost them."""

# ELF machine number, and code of exit(0): mov edi, 0; mov eax, 60; syscall / mov x0, #0; mov x8, #93; svc #0
_CODE = {
    "x86_64": (62, bytes.fromhex("bf00000000b83c0000000f05")),
    "aarch64": (183, bytes.fromhex("000080d2a80b80d2010000d4")),
}

# name of the executed file: (whether it has an upper dentry, number of lower layers that have it)
_EXPECTED = {b"lower": (False, 1), b"copied": (True, 1), b"new": (True, 0), b"nested": (False, 1)}


def run_selftest(kernel: KernelSide) -> list[str]:
    """Execute files from overlays and check their records; return a sentence for each difference.

    An empty list means that the overlay facts of this kernel are right. The exec ring is drained, so call this
    before the sensor's loop reads it.
    """
    seen: dict[bytes, records.ExecRecord] = {}
    clock = records.Clock()
    with tempfile.TemporaryDirectory(prefix="driftline-selftest-") as folder:
        command = (sys.executable, "-P", "-m", "driftline.sensor.bpf.selftest", folder)
        child = subprocess.run(command, check=False, capture_output=True, timeout=30)
    if child.returncode:
        return [f"the self-test could not build an overlay: {child.stderr.decode(errors='replace').strip()}"]
    deadline = time.monotonic() + _WAIT_SECONDS
    while len(seen) < len(_EXPECTED) and time.monotonic() < deadline:
        for data in kernel.exec_ring.drain():
            record = records.decode(data, clock)
            if isinstance(record, records.ExecRecord) and record.filename.startswith(os.fsencode(folder)):
                seen[os.path.basename(record.filename)] = record
    return _differences(seen)


def _differences(seen: dict[bytes, records.ExecRecord]) -> list[str]:
    found = []
    for name, expected in _EXPECTED.items():
        record = seen.get(name)
        if record is None:
            found.append(f"{name.decode()}: no exec was reported")
        elif (record.file.upper, record.file.lowers) != expected:
            found.append(f"{name.decode()}: read {(record.file.upper, record.file.lowers)}, expected {expected}")
        elif record.file.fs_path != b"/" + name or record.file.path != record.filename:
            found.append(f"{name.decode()}: read the path {record.file.path!r}")
    if b"nested" in seen and b"lower" in seen and seen[b"nested"].file.device == seen[b"lower"].file.device:
        found.append("nested: has the device of the overlay around it")
    return found


def program() -> bytes:
    """Return a static ELF program of 132 bytes that exits with status 0.

    It needs no loader and no library, so an overlay with nothing else can run it.
    """
    machine, code = _CODE[platform.machine()]
    at = 64 + 56
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x400000 + at, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, at + len(code), at + len(code), 0x1000)
    return ident + header + segment + code


def _write_program(path: Path) -> None:
    path.write_bytes(program())
    path.chmod(0o755)


def _mount(kind: str, target: Path, options: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(kind.encode(), os.fsencode(target), kind.encode(), 0, options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind}: {os.strerror(number)}")


def _overlay(base: Path, target: Path, lower: Path) -> None:
    for name in ("upper", "work"):
        (base / name).mkdir(parents=True)
    target.mkdir(exist_ok=True)
    _mount("overlay", target, f"lowerdir={lower},upperdir={base / 'upper'},workdir={base / 'work'}")


# Runs in the child. MS_PRIVATE keeps the mounts from propagating to the node.
def _run(folder: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) or libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None):
        raise OSError(ctypes.get_errno(), "unshare")
    _mount("tmpfs", folder, "size=1m")
    lower, outer, inner = folder / "layer", folder / "outer", folder / "inner"
    lower.mkdir()
    _write_program(lower / "lower")
    _write_program(lower / "copied")
    _overlay(folder / "outer-base", outer, lower)
    (outer / "copied").chmod(0o750)
    _write_program(outer / "new")
    dropped = folder / "dropped"
    dropped.mkdir()
    _write_program(dropped / "nested")
    _overlay(folder / "inner-base", inner, dropped)
    for program in (outer / "lower", outer / "copied", outer / "new", inner / "nested"):
        subprocess.run((program,), check=True)


if __name__ == "__main__":
    _run(Path(sys.argv[1]))
