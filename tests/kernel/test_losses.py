"""Losses of a full ring are counted by reason and by cgroup."""

import subprocess

import pytest

from driftline.sensor.bpf import records
from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.bpf.records import Clock, ExecRecord, LossReason
from tests.kernel.cgroups import Cgroups

pytestmark = pytest.mark.kernel
EXECS = 12000


def test_execs_lost_to_a_full_ring_are_counted_by_cgroup() -> None:
    loop = f"i=0; while [ $i -lt {EXECS} ]; do /bin/true; i=$((i+1)); done"
    with KernelSide() as side:
        subprocess.run(("unshare", "--mount", "sh", "-c", loop), check=True, timeout=50)
        recorded = sum(isinstance(records.decode(data, Clock()), ExecRecord) for data in side.exec_ring.drain())
        lost = side.take_losses_by_cgroup()
        counts = [count for count, _ in lost.values()]

        # The shell itself is executed as well, by unshare.
        assert recorded + side.lost(LossReason.EXEC_RING_FULL) == EXECS + 1
        assert sum(counts) == side.lost(LossReason.EXEC_RING_FULL) > 0
        assert side.lost(LossReason.EXIT_RING_FULL) > 0
        assert side.take_losses_by_cgroup() == {}
        assert side.lost(LossReason.FILE_RING_FULL) == 0


def test_lost_execs_have_the_path_of_their_cgroup_when_it_is_gone() -> None:
    path = "kubepods/besteffort/pod12345678-1234-1234-1234-123456789012/" + "5" * 64
    with KernelSide() as side:
        with Cgroups() as cgroups:
            cgroups.run(path, f"i=0; while [ $i -lt {EXECS} ]; do /bin/true; i=$((i+1)); done")
        lost = side.take_losses_by_cgroup()

    assert [lost_path for count, lost_path in lost.values() if count] == [b"/" + path.encode()]
