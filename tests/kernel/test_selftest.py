"""The self-test of the overlay facts."""

import pytest

from driftline.sensor.bpf import selftest
from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.bpf.records import LossReason

pytestmark = pytest.mark.kernel


def test_the_self_test_passes_on_this_kernel(kernel_side: KernelSide) -> None:
    assert selftest.run_selftest(kernel_side) == []


def test_the_self_test_loses_no_exec_record(kernel_side: KernelSide) -> None:
    assert kernel_side.lost(LossReason.EXEC_RING_FULL) == 0
