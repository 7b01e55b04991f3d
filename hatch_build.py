"""Compile the eBPF object when the wheel is built, or when this file is run."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
SOURCES = ROOT / "bpf"
TARGET = ROOT / "driftline" / "sensor" / "bpf" / "driftline.bpf.o"
FLAGS = ("-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-mcpu=v3")


def compile_object() -> None:
    """Run clang and llvm-strip; skip when the object is newer than its sources."""
    newest = max(path.stat().st_mtime for path in SOURCES.rglob("*") if path.is_file())
    if TARGET.exists() and TARGET.stat().st_mtime > newest:
        return
    machine = subprocess.run(("uname", "-m"), check=True, capture_output=True, text=True).stdout.strip()
    arch = {"x86_64": "x86", "aarch64": "arm64"}[machine]
    include = f"-I/usr/include/{machine}-linux-gnu"
    source = SOURCES / "driftline.bpf.c"
    subprocess.run(("clang", *FLAGS, f"-D__TARGET_ARCH_{arch}", include, "-c", source, "-o", TARGET), check=True)
    subprocess.run(("llvm-strip", "-g", TARGET), check=True)


class CompileObject(BuildHookInterface):  # type: ignore[type-arg] # hatchling's hook is generic over its own config
    """Compile before hatchling collects files, for wheels and editable installs alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        compile_object()


if __name__ == "__main__":
    compile_object()
