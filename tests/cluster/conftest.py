"""Container runtimes for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import lab as labs
from driftline.cluster import Runtime
from tests.fakes.crio import FakeCrio


@pytest.fixture
def runtime(lab: labs.Lab) -> Iterator[Runtime]:
    """The lab's containerd."""
    opened = Runtime(str(lab.socket))
    yield opened
    opened.close()


@pytest.fixture
def crio(tmp_path: Path) -> Iterator[FakeCrio]:
    """A CRI-O with one pod of one container."""
    served = FakeCrio(tmp_path / "crio.sock")
    yield served
    served.stop()
