"""One system call for each fact of an exec record."""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driftline.sensor.bpf import kernel, records
from driftline.sensor.bpf.records import ExecRecord, ExitRecord, OpenRecord, RecordFlag
from tests.kernel.cgroups import Cgroups

pytestmark = pytest.mark.kernel

Run = Callable[[str], list[records.Record]]


def execs_of(found: list[records.Record], name: bytes) -> ExecRecord:
    """Return the last exec of a file with this name."""
    return [r for r in found if isinstance(r, ExecRecord) and r.file.path.endswith(b"/" + name)][-1]


def test_an_unchanged_image_file_is_in_the_lower_layer(run: Run, tmp_path: Path) -> None:
    record = execs_of(run("./busybox true a 'b c'"), b"busybox")

    assert (record.file.upper, record.file.lowers, record.file.fs_type) == (False, 1, "overlay")
    assert record.file.path == os.fsencode(tmp_path / "root/busybox")
    assert record.file.fs_path == b"/busybox"
    assert record.file.size == Path("/bin/busybox").stat().st_size
    assert record.file.writer is None
    assert record.argv == (b"./busybox", b"true", b"a", b"b c")
    assert record.filename == record.interp == b"./busybox"
    assert record.cwd == os.fsencode(tmp_path / "root")
    assert record.argc == 4
    assert (record.uid, record.gid, record.euid) == (0, 0, 0)
    assert stat.S_IMODE(record.file.mode) == 0o755


def test_a_dropped_file_names_its_writer(run: Run) -> None:
    record = execs_of(run("cp busybox tool; ./tool true; true"), b"tool")

    assert (record.file.upper, record.file.lowers) == (True, 0)
    assert record.file.writer is not None
    assert record.file.writer.comm == b"cp"
    assert record.file.writer.time.timestamp() == pytest.approx(time.time(), abs=30)


@pytest.mark.parametrize("command", ["chmod 700 other", "touch other", "chown 1:1 other"])
def test_a_copied_up_file_has_an_upper_and_a_lower(run: Run, command: str) -> None:
    record = execs_of(run(f"{command}; ./other true"), b"other")

    assert (record.file.upper, record.file.lowers) == (True, 1)


@pytest.mark.parametrize("fs", ["tmpfs", "disk"])
def test_the_ctime_is_that_of_stat_after_a_first_stat(
    run: Run, tmp_path_factory: pytest.TempPathFactory, fs: str
) -> None:
    out = tmp_path_factory.mktemp("out")
    mount = f"mount --bind {out} d" if fs == "disk" else "mount -t tmpfs d d"
    record = execs_of(run(f"mkdir d; {mount}; cp busybox d/x; stat -c %.9Z d/x > {out}/ctime; d/x true"), b"x")

    assert record.file.ctime_ns == int((out / "ctime").read_text().replace(".", ""))


def test_the_writer_survives_rename_link_and_unlink(run: Run) -> None:
    record = execs_of(run("cp busybox a; mv a b; ln b c; rm b; ./c true"), b"c")

    assert record.file.writer is not None
    assert record.file.writer.comm == b"cp"


def test_a_bind_mount_keeps_the_path_in_the_image(run: Run, tmp_path: Path) -> None:
    record = execs_of(run("mkdir d; mount --bind . d; d/busybox true"), b"busybox")

    assert record.file.path == os.fsencode(tmp_path / "root/d/busybox")
    assert record.file.fs_path == b"/busybox"


def test_a_chroot_keeps_the_paths_of_the_mount_namespace(run: Run, tmp_path: Path) -> None:
    record = execs_of(run("mkdir d; cp busybox d/inside; chroot d /inside true"), b"inside")

    assert record.file.path == os.fsencode(tmp_path / "root/d/inside")
    assert record.file.fs_path == b"/d/inside"


def test_a_script_records_its_interpreter_and_itself(run: Run, tmp_path: Path) -> None:
    found = run(f"printf '#!{tmp_path}/root/busybox sh\\ntrue\\n' > s; chmod +x s; ./s x")
    record = execs_of(found, b"busybox")
    opened = [r for r in found if isinstance(r, OpenRecord) and r.file.path.endswith(b"/s")]

    assert (record.filename, record.interp) == (b"./s", os.fsencode(tmp_path / "root/busybox"))
    assert [(r.name, r.file.upper) for r in opened] == [(b"./s", True), (b"", True)]
    assert [bool(r.head.flags & RecordFlag.READ_AS_CODE) for r in opened] == [False, True]


def test_a_deleted_file_has_nlink_0(run: Run) -> None:
    record = execs_of(run("cp busybox gone; exec 3<gone; rm gone; exec /proc/self/fd/3 true"), b"gone")

    assert record.file.nlink == 0


def test_hostile_file_names_are_recorded_whole(run: Run) -> None:
    name = b"a b\n\xff\xfe'\"$x"
    found = run('n=$(printf \'a b\\n\\377\\376\'"\'"\'"$x\'); cp busybox "$n"; "./$n" true')

    assert execs_of(found, name).file.fs_path == b"/" + name


def test_a_long_path_is_recorded_whole(run: Run) -> None:
    name = "n" * 250
    found = run(
        f"for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do mkdir {name}; cd {name}; done; cp /bin/busybox x; ./x true"
    )

    assert execs_of(found, b"x").file.fs_path == b"/" + b"/".join([name.encode()] * 13 + [b"x"])


def test_a_too_deep_path_is_flagged_truncated(run: Run) -> None:
    found = run("d=$(printf 'd/%.0s' $(seq 100)); mkdir -p $d; cp busybox $d/x; $d/x true")

    record = execs_of(found, b"x")
    assert record.head.flags & RecordFlag.PATH_TRUNCATED
    assert record.file.truncated


def test_long_arguments_are_flagged_truncated(run: Run) -> None:
    found = run(
        "a=$(head -c 120000 /dev/zero | tr '\\0' a); ./busybox true b $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a"
    )
    record = execs_of(found, b"busybox")

    assert record.head.flags & RecordFlag.ARGS_TRUNCATED
    assert record.args_length > 1_800_000
    assert record.argv[:3] == (b"./busybox", b"true", b"b")


def test_an_exit_records_the_status(run: Run) -> None:
    found = run("./busybox sh -c 'exit 7'; true")
    tgid = execs_of(found, b"busybox").head.tgid

    assert [r.status for r in found if isinstance(r, ExitRecord) and r.head.tgid == tgid] == [7 << 8]


def test_ancestors_are_recorded_parent_first(run: Run) -> None:
    record = execs_of(run("sh -c './busybox true; true'"), b"busybox")

    assert [ancestor.comm for ancestor in record.ancestors[:2]] == [b"sh", b"sh"]
    starts = [ancestor.start for ancestor in record.ancestors]
    assert starts == sorted(starts, reverse=True)


def test_a_setuid_program_is_flagged_secure(run: Run) -> None:
    found = run("cp busybox s; chmod 4755 s; setpriv --reuid 1000 --clear-groups ./s true")
    record = execs_of(found, b"s")

    assert (record.uid, record.euid) == (1000, 0)
    assert record.head.flags & RecordFlag.SECURE_EXEC


def test_an_exec_names_its_cgroup_until_the_sensor_knows_it(kernel_side: kernel.KernelSide) -> None:
    path = "kubepods/pod12345678-1234-1234-1234-123456789012/" + "6" * 64
    clock = records.Clock()
    kernel_side.exec_ring.drain()
    found = []
    with Cgroups() as cgroups:
        for _ in range(2):
            cgroups.run(path, "/bin/true; exit 0")
            execs = [records.decode(data, clock) for data in kernel_side.exec_ring.drain()]
            found += [r for r in execs if isinstance(r, ExecRecord) and r.file.path.endswith(b"true")]
            kernel_side.add_container(found[-1].head.cgroup)

    assert [record.cgroup_path for record in found] == [b"/" + path.encode(), b""]
