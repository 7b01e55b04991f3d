"""A shell in a cgroup and an overlay of its own, which the kernel side treats as a container.

Without pytest, since it also runs in a virtual machine, where each import takes long.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import textwrap
from pathlib import Path

from driftline.image import ImageIndex, LowerDirs, build_index, open_index
from driftline.policy import Blocking
from driftline.sensor.bpf import kernel, records, selftest
from driftline.sensor.bpf.block_maps import LoadedImage
from driftline.sensor.bpf.records import Cgroup, ExecRecord, OpenRecord, ProcessKey, RecordFlag
from driftline.sensor.tracking.containers import cgroups_of

IMAGE_PROGRAMS = ("/bin/a", "/bin/b", "/opt/agent/a")
PROGRAM = selftest.program()
"""A static program that exits with 0."""
BYTES = {
    "image": PROGRAM,
    "same size": PROGRAM[:-1] + b"\1",
    "longer": PROGRAM + b"\1",
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class World:
    """A shell in a cgroup and an overlay of its own, in place of a container."""

    def __init__(self, side: kernel.KernelSide, folder: Path) -> None:
        self.side = side
        self.root = folder / "root"
        self._clock = records.Clock()
        self._cgroup = Path("/sys/fs/cgroup", "unified" if Path("/sys/fs/cgroup/unified").is_dir() else "", "blocking")
        self._cgroup.mkdir(exist_ok=True)
        script = f"""
            set -e
            echo $$ > {self._cgroup}/cgroup.procs
            mount -t tmpfs tmpfs {folder}
            cd {folder}
            mkdir -p lower/bin lower/opt/agent lower/tmp lower/volume root
            cp {folder.parent}/image {folder}/lower/bin/a
            cp lower/bin/a lower/bin/b
            cp lower/bin/a lower/opt/agent/a
            set +e
            echo ready
            while read -r line; do eval "$line"; echo "code $?"; done
        """
        for name, content in BYTES.items():
            (folder.parent / name).write_bytes(content)
            (folder.parent / name).chmod(0o755)
        self._sources = folder.parent
        self._shell = subprocess.Popen(
            ("unshare", "--mount", "sh", "-c", textwrap.dedent(script)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._shell.stdout
        self._shell.stdout.readline()
        unified = next(cgroup for cgroup, path in cgroups_of(self._shell.pid) if cgroup.hierarchy == 0)
        self.cgroup: Cgroup = unified
        # The directory is visible only in the shell's mount namespace.
        lower = f"/proc/{self._shell.pid}/root{folder}/lower".encode()
        build_index("sha256:" + "0" * 64, LowerDirs((lower,)), folder.parent / "index")
        self.index: ImageIndex = open_index(folder.parent / "index")
        side.blocking.arm(True)
        self._image: LoadedImage = side.blocking.add_image(self.index, 1)

    def sh(self, command: str) -> int:
        """Run a line in the shell; return its exit code."""
        assert self._shell.stdin and self._shell.stdout
        print(command, file=self._shell.stdin, flush=True)
        return int(self._shell.stdout.readline().split()[1])

    def reset(self) -> None:
        """Mount the root again with an empty writable layer, and without a policy."""
        self.side.blocking.clear_policy(self.cgroup)
        self.sh("umount -R root; rm -rf upper work; mkdir upper work")
        self.sh("mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay root")
        self.sh("mount -t tmpfs tmpfs root/volume")
        self.device = Path(f"/proc/{self._shell.pid}/root{self.root}").stat().st_dev
        self.side.set_root(self.cgroup, self.device, first=ProcessKey(1, 1))

    def write(self, path: str, content: str) -> Path:
        """Write content (a key of ``BYTES``) to a new file at ``path``; "untouched" leaves the image's file."""
        target = self.root / path.lstrip("/")
        if content != "untouched":
            self.sh(f"mkdir -p {target.parent}; rm -f {target}; cp '{self._sources / content}' {target}")
        return target

    def put_in_force(self, blocking: Blocking, number: int) -> list[bytes]:
        """Put compiled rules in force; return the keys of their allow lists."""
        keys = self.side.blocking.allow(blocking, number)
        self.side.blocking.set_policy(self.cgroup, blocking, owner=number, image=self._image)
        return keys

    def execute(self, path: Path) -> tuple[int, ExecRecord | OpenRecord]:
        """Execute a file; return its exit code and the record of the exec or of its denial."""
        self.side.exec_ring.drain()
        code = self.sh(str(path))
        found = [records.decode(data, self._clock) for data in self.side.exec_ring.drain()]
        kinds = (ExecRecord, OpenRecord)
        return code, next(r for r in found if isinstance(r, kinds) and r.file.path == os.fsencode(path))

    def close(self) -> None:
        self._shell.kill()
        self._shell.wait()
        for pipe in (self._shell.stdin, self._shell.stdout):
            assert pipe
            pipe.close()
        self.index.close()
        self._cgroup.rmdir()


def was_blocked(record: ExecRecord | OpenRecord) -> bool:
    """Return whether the kernel side killed the process or denied the exec."""
    return bool(record.head.flags & (RecordFlag.BLOCKED | RecordFlag.DENIED))
