"""Commands of ``python -m lab``, as in docs/how-to/lab.md."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e


def lab(*argv: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([sys.executable, "-m", "lab", *argv], capture_output=True, check=False)


@pytest.fixture
def up() -> Iterator[bytes]:
    """Output of ``up``."""
    yield lab("up", "--lab", "test-by-hand").stdout
    lab("down", "--lab", "test-by-hand")


def test_up_prints_the_socket_of_containerd(up: bytes) -> None:
    assert up.startswith(b"containerd: unix:///run/driftline-lab/test-by-hand/containerd.sock\n")


def test_run_exec_and_down(up: bytes) -> None:
    container = lab("run", "busybox", "--lab", "test-by-hand").stdout.decode().strip()

    entered = lab("exec", "--lab", "test-by-hand", container, "--", "sh", "-c", "echo here; exit 3")
    lab("down", "--lab", "test-by-hand")

    assert (entered.returncode, entered.stdout) == (3, b"here\n")
    assert not Path("/run/driftline-lab/test-by-hand").exists()


def test_unknown_image_lists_the_images(up: bytes) -> None:
    refused = lab("run", "nginx", "--lab", "test-by-hand")

    assert refused.returncode == 1
    assert refused.stderr == b"lab: no image 'nginx'; there are pause, busybox, web, glibc, layers40\n"
