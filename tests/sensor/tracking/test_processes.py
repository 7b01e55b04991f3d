import os
import shlex
import struct
import subprocess

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from driftline.sensor.bpf.records import OpenRecord, ProcessKey
from driftline.sensor.tracking.processes import ProcessTable, command_line, read_process, running_pids
from tests.sensor import making


@given(st.lists(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\0\\"), min_size=1), min_size=1))
def test_a_shell_splits_a_command_line_into_the_original_arguments(argv: list[str]) -> None:
    assert shlex.split(command_line(tuple(word.encode() for word in argv))) == argv


def test_a_long_command_line_is_cut() -> None:
    assert len(command_line((b"a" * 100_000,))) < 10_000


def test_an_ended_process_is_found_until_enough_others_have_ended() -> None:
    table = ProcessTable()
    process = making.process(b"/bin/sh")
    table.add(process)

    assert table.running(41) == table.find(process.key) == process


def test_an_ended_parent_is_still_named() -> None:
    table = ProcessTable()
    process = making.process(b"/bin/sh")
    table.add(process)
    ended = table.ended(making.head(start=process.key.start_ticks * 10_000_000))

    assert ended == table.find(process.key) == process
    assert table.running(41) is None


def test_a_reused_pid_is_another_process() -> None:
    table = ProcessTable()
    table.add(making.process(b"/bin/sh"))

    assert table.find(ProcessKey(41, 11)) is None


def test_a_running_process_is_read_from_proc() -> None:
    with subprocess.Popen(("cat",), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin and child.stdout
        child.stdin.write(b"\n")
        child.stdout.readline()  # its exec is over: during an exec, /proc has no arguments
        found = read_process(child.pid)
        child.kill()

    assert found is not None
    assert found.argv == (b"cat",)
    assert found.program.startswith(b"/")
    assert found.key.pid == child.pid


def test_an_ended_process_is_none() -> None:
    assert read_process(2**22 + 1) is None
    assert os.getpid() in running_pids()


def test_a_fork_without_an_exec_is_known_by_the_ancestor_that_runs_its_program() -> None:
    """The subshell of a subshell of bash, which has ended since."""
    table = ProcessTable()
    bash = making.process(b"/bin/bash", b"bash", b"-c", b"x", programs=frozenset({(50, 7)}))
    table.add(bash)
    above = struct.pack("=QII16sQII16s", 12 * 10**7, 4_000_000, 0, b"bash", bash.key.start_ns, bash.key.pid, 0, b"bash")
    record = OpenRecord(making.head(tgid=4_000_001), making.facts(b"/tmp/n"), b"", above, (50, 7))
    found = table.of_open(record)

    assert found is not None
    assert (found.program, found.argv, found.key.pid, found.parent) == (
        b"/bin/bash",
        (b"bash", b"-c", b"x"),
        4_000_001,
        ProcessKey(4_000_000, 12),
    )
    assert table.of_open(msgspec.structs.replace(record, program=(50, 8))) is None
