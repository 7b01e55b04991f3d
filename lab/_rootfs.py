"""Root file system, built entry by entry and written as a reproducible tar archive."""

import io
import os
import re
import stat
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab._run import run

__all__ = ["Rootfs", "package_files"]


@dataclass(slots=True)
class Rootfs:
    """Files of a root file system by absolute path; parent directories are added as needed.

    All entries belong to root and have the time 0, so that equal content gives equal archives.
    """

    entries: dict[str, tuple[tarfile.TarInfo, bytes | Path]] = field(default_factory=dict)
    """Header and content of each path; a ``Path`` is a file of this machine."""

    def directory(self, path: str, *, mode: int = 0o755) -> None:
        """Add a directory."""
        self._put(path, tarfile.DIRTYPE, mode, b"")

    def link(self, path: str, target: str) -> None:
        """Add a symlink to ``target``."""
        self._put(path, tarfile.SYMTYPE, 0o777, b"").linkname = target

    def file(self, path: str, content: bytes | Path, *, mode: int = 0o755) -> None:
        """Add a regular file with ``content``, or with that of a file of this machine."""
        self._put(path, tarfile.REGTYPE, mode, content)

    def host_file(self, path: str) -> None:
        """Copy a file of this machine to the same path, with the symlinks on the way to it."""
        source = Path(path).parent.resolve() / Path(path).name
        if str(source) in self.entries:
            return
        if source.is_symlink():
            target = source.readlink()
            self.link(str(source), str(target))
            self.host_file(str(source.parent / target))
        else:
            self.file(str(source), source, mode=stat.S_IMODE(source.stat().st_mode))

    def host_programs(self, paths: Iterable[str]) -> None:
        """Copy programs or libraries of this machine with every library that they need."""
        listed = list(paths)
        for path in (*listed, *_needed(listed)):
            self.host_file(path)

    def write(self, destination: Path) -> None:
        """Write the archive to ``destination``, in path order."""
        with tarfile.open(destination, "w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(self.entries):
                info, content = self.entries[path]
                data = content.read_bytes() if isinstance(content, Path) else content
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))

    def _put(self, path: str, kind: bytes, mode: int, content: bytes | Path) -> tarfile.TarInfo:
        parent = str(Path(path).parent)
        if parent != "/" and parent not in self.entries:
            self.directory(parent)
        info = tarfile.TarInfo(path.lstrip("/"))
        info.type, info.mode = kind, mode
        self.entries[path] = info, content
        return info


def package_files(package: str) -> list[str]:
    """Return the regular files of an installed Debian package, without documentation."""
    listed = os.fsdecode(run("dpkg", "-L", package).check().stdout).splitlines()
    plain = (path for path in listed if not path.startswith(("/usr/share", "/.")))
    return [path for path in plain if Path(path).is_file() and not Path(path).is_symlink()]


def _needed(paths: Iterable[str]) -> list[str]:
    """Return the shared libraries of this machine that the programs need, by ldd(1)."""
    # ldd prints "libc.so.6 => /lib/… (0x…)" and "/lib64/ld-linux-x86-64.so.2 (0x…)"; for a static
    # program it prints a message that matches neither.
    said = os.fsdecode(run("ldd", *paths).stdout)
    return sorted(set(re.findall(r"(?:=> |^\t)(/\S+) \(0x", said, flags=re.MULTILINE)))
