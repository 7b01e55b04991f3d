"""Losses of a full ring are counted by reason and by cgroup."""

import subprocess

import pytest

from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.bpf.records import LossReason

pytestmark = pytest.mark.kernel


def test_execs_lost_to_a_full_ring_are_counted_by_cgroup() -> None:
    loop = "i=0; while [ $i -lt 12000 ]; do /bin/true; i=$((i+1)); done"
    with KernelSide() as side:
        subprocess.run(("unshare", "--mount", "sh", "-c", loop), check=True, timeout=50)
        lost = side.take_losses_by_cgroup()

        assert side.lost(LossReason.EXEC_RING_FULL) > 0
        assert 0 < sum(lost.values()) <= side.lost(LossReason.EXEC_RING_FULL)
        assert side.take_losses_by_cgroup() == {}
        assert side.lost(LossReason.FILE_RING_FULL) == 0
