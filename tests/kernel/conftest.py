"""An overlay, and a loaded eBPF object that records executions on it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from driftline.sensor.bpf import kernel, records

Run = Callable[[str], list[records.Record]]


@pytest.fixture(scope="module")
def kernel_side() -> Iterator[kernel.KernelSide]:
    if os.geteuid():
        pytest.skip("loading eBPF needs root")
    with kernel.KernelSide() as side:
        yield side


@pytest.fixture
def run(kernel_side: kernel.KernelSide, tmp_path: Path) -> Run:
    """Return a function that runs a shell script on a new overlay and returns the records.

    The script has a mount namespace of its own. The overlay is its working directory; the lower layer has
    ``busybox`` and ``other``.
    """
    script = f"""
set -e
mount -t tmpfs tmpfs {tmp_path}
cd {tmp_path}
mkdir lower upper work root
cp /bin/busybox lower/busybox
cp /bin/busybox lower/other
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay root
cd root
set +e
"""

    def run(commands: str) -> list[records.Record]:
        kernel_side.exec_ring.drain()
        kernel_side.file_ring.drain()
        subprocess.run(("unshare", "--mount", "sh", "-c", script + commands), check=False, timeout=30)
        opens = kernel_side.file_ring.drain()
        clock = records.Clock()
        return [records.decode(data, clock) for data in (*kernel_side.exec_ring.drain(), *opens)]

    return run
