"""Executable mappings from perf records."""

import os
import subprocess
from pathlib import Path

import pytest

from driftline.sensor.bpf.mmap_events import MappingStream

pytestmark = pytest.mark.kernel


def test_mappings_of_program_loader_and_libraries_are_recorded() -> None:
    with MappingStream() as stream:
        child = subprocess.Popen(("/bin/ls", "/"), stdout=subprocess.DEVNULL)
        child.wait()
        found = {record.path: record for record in stream.drain() if record.pid == child.pid}

    program = Path("/bin/ls").resolve()
    assert os.fsencode(program) in found
    assert found[os.fsencode(program)].inode == program.stat().st_ino
    assert any(b"/libc" in path for path in found)
    assert any(b"/ld-linux" in path for path in found)
    assert stream.lost == 0


def test_mappings_lost_to_a_full_buffer_are_counted() -> None:
    with MappingStream() as stream:
        subprocess.run(("sh", "-c", "i=0; while [ $i -lt 1500 ]; do /bin/true; i=$((i+1)); done"), check=True)
        stream.drain()
        subprocess.run(("/bin/true",), check=True)
        stream.drain()

        assert stream.lost > 0
