"""Fixtures every folder of tests may use: one lab for the run, a pod for a test."""

import os
import re
import time
import zlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

import lab as labs

# Time is no result: the other worker takes its share. CI draws the same examples in each run.
settings.register_profile(
    "driftline", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("driftline")

NODE = ("kernel/", "e2e/", "lab/", "cluster/", "cli/test_image.py", "cli/test_scan.py", "sensor/scan/test_compare.py")
"""Tests that load eBPF or run containers share this machine's kernel and one lab: one worker runs them all."""
FREE = ("kql/", "policy/", "verdict/", "wire/", "events/", "image/", "hunts/", "store/query/")
"""Tests without a fixture that is expensive to set up: the tests of a file may run on several workers."""
PARTS = 16


def group_of(nodeid: str) -> str:
    """Return the group of a test: one worker runs all tests of a group, in order."""
    file = nodeid.removeprefix("tests/").split("::", maxsplit=1)[0]
    if file.startswith(NODE):
        return "node"
    return f"{file} {zlib.crc32(nodeid.encode()) % PARTS}" if file.startswith(FREE) else file


class GroupScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist ships no types
    """The scheduling of ``make test``: whole groups, in the order of collection.

    xdist's own groups (``--dist loadgroup``, xdist 3.8) have no effect with pytest 9.2, which names tests otherwise.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    """Give xdist the scheduling of groups, whatever ``--dist`` says."""
    return GroupScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest groups first: the node, then whole files, at last the parts, which fill both workers evenly."""
    items.sort(key=lambda item: _rank(group_of(item.nodeid)))


def _rank(group: str) -> int:
    return 0 if group == "node" else 2 if " " in group else 1


@pytest.fixture(scope="session")
def lab() -> Iterator[labs.Lab]:
    """A containerd of this test run's own."""
    if os.geteuid():
        pytest.skip("needs root: runs real containers")
    with labs.start() as running:
        yield running


@pytest.fixture
def new_pod(lab: labs.Lab) -> Iterator[Callable[..., labs.Pod]]:
    """``Lab.pod``, with everything it started removed after the test."""
    pods: list[labs.Pod] = []

    def start(name: str, **options: object) -> labs.Pod:
        pods.append(lab.pod(name, **options))  # type: ignore[arg-type]  # as Lab.pod has them
        return pods[-1]

    yield start
    for pod in pods:
        pod.remove()


@pytest.fixture
def second_name(lab: labs.Lab) -> Iterator[Callable[[str, str], str]]:
    """Give an image of the lab a second name until the end of the test: ``second_name("busybox", "a/b:1")``."""
    given: list[str] = []

    def tag(image: str, name: str) -> str:
        lab.runtime.ctr("images", "tag", "--force", lab.image(image), name).check()
        given.append(name)
        _wait_until_listed(lab, name)
        return name

    yield tag
    for name in given:
        lab.runtime.ctr("images", "rm", "--sync", name).check()


# The CRI plugin of containerd learns of images that others tag from events.
def _wait_until_listed(lab: labs.Lab, name: str) -> None:
    deadline = time.monotonic() + 10
    while not any(name in image.repo_tags for image in lab.runtime.call("ListImages").images):
        assert time.monotonic() < deadline, f"the runtime does not list {name}"
        time.sleep(0.05)


@pytest.fixture
def pod(new_pod: Callable[..., labs.Pod], request: pytest.FixtureRequest) -> labs.Pod:
    """A pod named after the test, in the namespace ``shop``."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return new_pod(name[:50], labels={"app": "web"})


@pytest.fixture
def container(pod: labs.Pod) -> Callable[..., labs.LabContainer]:
    """``Pod.container`` of the test's pod: ``container("busybox").sh("id")``."""
    return pod.container
