"""A root file system, put together entry by entry and written as a tar that is the same each time."""

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
    """Entries by absolute path; parents are made as needed."""

    entries: dict[str, tuple[tarfile.TarInfo, bytes | Path]] = field(default_factory=dict)

    def directory(self, path: str, *, mode: int = 0o755) -> None:
        self._put(path, tarfile.DIRTYPE, mode, b"")

    def link(self, path: str, target: str) -> None:
        self._put(path, tarfile.SYMTYPE, 0o777, b"").linkname = target

    def file(self, path: str, content: bytes | Path, *, mode: int = 0o755) -> None:
        self._put(path, tarfile.REGTYPE, mode, content)

    def host_file(self, path: str) -> None:
        """Copy a file of this machine to the same path, with the symbolic links it is reached by."""
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
        """Copy programs or libraries of this machine with every library they need."""
        listed = list(paths)
        for path in (*listed, *_needed(listed)):
            self.host_file(path)

    def write(self, destination: Path) -> None:
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
    """List the files of an installed Debian package, without its documentation."""
    listed = os.fsdecode(run("dpkg", "-L", package).check().stdout).splitlines()
    plain = (path for path in listed if not path.startswith(("/usr/share", "/.")))
    return [path for path in plain if Path(path).is_file() and not Path(path).is_symlink()]


def _needed(paths: Iterable[str]) -> list[str]:
    # Lines are "libc.so.6 => /lib/… (0x…)" and "/lib64/ld-linux-x86-64.so.2 (0x…)"; static ones say so.
    said = os.fsdecode(run("ldd", *paths).stdout)
    return sorted(set(re.findall(r"(?:=> |^\t)(/\S+) \(0x", said, flags=re.MULTILINE)))
