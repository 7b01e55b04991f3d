"""What the kernel side blocks, against what the policy says of the same execution."""

from __future__ import annotations

import datetime
import hashlib
import os
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftline import verdict
from driftline.events import Action, Container, Drift, Subject, Verdict
from driftline.image import ImageIndex, LowerDirs, build_index, open_index
from driftline.policy import Blocking, Place, Policy, Rule, compile_blocking, explain, rules_for
from driftline.policy.model import AllowedProcess, Condition, ResourceField
from driftline.sensor import kernel, records, selftest
from driftline.sensor.blocktables import ImageTable
from driftline.sensor.processes import ProcessKey
from driftline.sensor.records import Cgroup, ExecRecord, RecordFlag
from driftline.sensor.registry import cgroups_of
from driftline.verdict import ContainerRoot, Digest, Execution

pytestmark = pytest.mark.kernel

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
IMAGE_PROGRAMS = ("/bin/a", "/bin/b", "/opt/agent/a")
PATHS = (*IMAGE_PROGRAMS, "/bin/new", "/opt/agent/sub/c", "/tmp/a", "/volume/a")
PROGRAM = selftest.program()
"""Exits at once with 0."""
BYTES = {
    "image": PROGRAM,
    "same size": PROGRAM[:-1] + b"\1",
    "longer": PROGRAM + b"\1",
}


class World:
    """A shell in a cgroup and an overlay of its own, which stand for a container."""

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
        # The folder lies in the shell's mount namespace alone.
        lower = f"/proc/{self._shell.pid}/root{folder}/lower".encode()
        build_index("sha256:" + "0" * 64, LowerDirs((lower,)), folder.parent / "index")
        self.index: ImageIndex = open_index(folder.parent / "index")
        side.blocking.arm(True)
        self._image: ImageTable = side.blocking.add_image(self.index, 1)

    def sh(self, command: str) -> int:
        """Run a line in the shell; gives its exit code."""
        assert self._shell.stdin and self._shell.stdout
        print(command, file=self._shell.stdin, flush=True)
        return int(self._shell.stdout.readline().split()[1])

    def reset(self) -> None:
        """Mount the root anew, with nothing written to it, and nothing blocked."""
        self.side.blocking.clear_policy(self.cgroup)
        self.sh("umount -R root; rm -rf upper work; mkdir upper work")
        self.sh("mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay root")
        self.sh("mount -t tmpfs tmpfs root/volume")
        self.device = Path(f"/proc/{self._shell.pid}/root{self.root}").stat().st_dev
        self.side.set_root(self.cgroup, self.device, first=ProcessKey(1, 1))

    def place(self, path: str, content: str) -> Path:
        """Put bytes at a path, in a file of its own unless it is the image's, untouched."""
        target = self.root / path.lstrip("/")
        if content != "untouched":
            self.sh(f"mkdir -p {target.parent}; rm -f {target}; cp '{self._sources / content}' {target}")
        return target

    def put_in_force(self, blocking: Blocking, number: int) -> list[bytes]:
        """Put compiled rules in force; gives the keys of their allow lists."""
        keys = self.side.blocking.allow(blocking, number)
        self.side.blocking.set_policy(self.cgroup, blocking, owner=number, image=self._image)
        return keys

    def execute(self, path: Path) -> tuple[int, ExecRecord]:
        """Execute a file; gives its exit code and the record of it."""
        self.side.exec_ring.drain()
        code = self.sh(str(path))
        found = [records.decode(data, self._clock) for data in self.side.exec_ring.drain()]
        return code, next(r for r in found if isinstance(r, ExecRecord) and r.file.path == os.fsencode(path))

    def verdict(self, record: ExecRecord, content: str) -> Verdict:
        """What user space says of the execution."""
        data = BYTES["image" if content == "untouched" else content]
        return verdict.decide(
            Execution(subject=Subject.BINARY, file=record.file, time=NOW),
            root=ContainerRoot(device=self.device),
            image=self.index,
            read=lambda: Digest(_sha256(data), len(data)),
        )

    def close(self) -> None:
        self._shell.kill()
        self._shell.wait()
        for pipe in (self._shell.stdin, self._shell.stdout):
            assert pipe
            pipe.close()
        self.index.close()
        self._cgroup.rmdir()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def world(kernel_side: kernel.KernelSide, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world") / "place"
    folder.mkdir()
    made = World(kernel_side, folder)
    yield made
    made.close()


def entries(root: Path) -> st.SearchStrategy[AllowedProcess]:
    """Entries of allow lists, by every way there is."""
    paths = ("/bin/new", "/opt/agent/*", "/opt/*", "/*/a", "/tmp/a", "/volume/*", "/tmp/*")
    return st.one_of(
        st.sampled_from(paths).map(lambda path: AllowedProcess(path=str(root) + path)),
        st.sampled_from(("a", "c", "new")).map(lambda name: AllowedProcess(name=name)),
        st.sampled_from(paths).map(lambda path: AllowedProcess(path=str(root) + path)),
        st.sampled_from(tuple(BYTES)).map(lambda name: AllowedProcess(sha256=_sha256(BYTES[name]))),
        st.just(AllowedProcess(relocated=True)),
    )


@st.composite
def rules(draw: st.DrawFn, root: Path) -> tuple[Rule, ...]:
    """A few rules; the container is out of the scope of some."""
    made = []
    for number in range(draw(st.integers(1, 3))):
        scope = draw(st.sampled_from(("shop", "shop", "other")))
        made.append(
            Rule(
                name=f"rule {number}",
                priority=number + 1,
                action=draw(st.sampled_from((Action.BLOCK, Action.BLOCK, Action.ALERT, Action.IGNORE))),
                resource_scope=(Condition(field=ResourceField.NAMESPACE, values=(scope,)),),
                subjects=draw(st.sampled_from((tuple(Subject), tuple(Subject), (Subject.BINARY,), (Subject.SCRIPT,)))),
                allow=tuple(draw(st.lists(entries(root), max_size=4))),
                fail_closed=draw(st.booleans()),
                expires=draw(st.sampled_from((None, None, None, NOW))),
            )
        )
    return tuple(made)


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_kernel_and_explain_agree(world: World, data: st.DataObject) -> None:
    policy = Policy(rules=data.draw(rules(world.root)))
    path = data.draw(st.sampled_from(PATHS))
    content = data.draw(st.sampled_from((*BYTES, *(["untouched"] if path in IMAGE_PROGRAMS else []))))
    container = Container(id="c", namespace="shop")
    applying = rules_for(policy, container, Place())
    deciding = applying.rule_for(Subject.BINARY, NOW)
    blocking = compile_blocking(applying, NOW)
    world.reset()
    target = world.place(path, content)
    keys = world.put_in_force(blocking, data.draw(st.integers(1, 1 << 31)))
    code, record = world.execute(target)
    world.side.blocking.disallow(keys)
    found = world.verdict(record, content)
    said = explain(policy, container, Place(), verdict=found, process_name=target.name, now=NOW)
    is_blocked = bool(record.head.flags & RecordFlag.BLOCKED)
    should_block = found.drift == Drift.YES and said.decision.action == Action.BLOCK

    assert is_blocked == (code == 128 + 9)
    if should_block != is_blocked:
        assert deciding and is_blocked == deciding.fail_closed, (said, found)
        assert _is_for_user_space(blocking, content, path), (said, found)


# The kernel side cannot tell: the bytes alone decide.
def _is_for_user_space(blocking: Blocking, content: str, path: str) -> bool:
    asks_for_bytes = Subject.BINARY in blocking.undecidable | blocking.relocated
    return asks_for_bytes or (path in IMAGE_PROGRAMS and content != "longer")
