import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.cluster import _channel
from driftline.cluster._channel import Channel, Unsupported, find_socket
from driftline.errors import ContainerNotFound, RuntimeUnavailable
from tests.fakes.crio import FakeCrio


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[Path]:
    """A socket that takes connections and never answers."""
    path = tmp_path / "hung.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        yield path


def test_call_to_a_hung_runtime_ends_at_the_deadline(hung: Path) -> None:
    channel = Channel(str(hung), timeout=0.2)

    with pytest.raises(RuntimeUnavailable, match=r"did not answer within 0.2 s"):
        channel.cri("RuntimeService", "Version")
    channel.close()


def test_hung_stream_ends_at_its_deadline(hung: Path) -> None:
    channel = Channel(str(hung), timeout=0.2)
    content = channel.containerd_stream("containerd.services.content.v1.Content/Read", namespace="default", timeout=0.2)

    with pytest.raises(RuntimeUnavailable, match="did not answer"):
        next(content)
    channel.close()


def test_missing_socket_suggests_a_remedy(tmp_path: Path) -> None:
    channel = Channel(str(tmp_path / "none.sock"))

    with pytest.raises(RuntimeUnavailable, match=r"no container runtime listens at .*none.sock; start it, or give"):
        channel.cri("RuntimeService", "Version")
    channel.close()


def test_unknown_method_and_unknown_container_differ(crio: FakeCrio) -> None:
    channel = Channel(str(crio.socket))

    with pytest.raises(Unsupported):
        channel.containerd("containerd.services.namespaces.v1.Namespaces/List")
    with pytest.raises(ContainerNotFound):
        channel.cri("RuntimeService", "ContainerStatus", container_id="other")
    channel.close()


def test_first_known_socket_is_found(hung: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_channel, "KNOWN_SOCKETS", (str(tmp_path / "none.sock"), str(hung)))

    assert find_socket() == str(hung)


def test_no_socket_lists_the_paths_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_channel, "KNOWN_SOCKETS", (str(tmp_path / "none.sock"),))

    with pytest.raises(RuntimeUnavailable, match=r"none\.sock; start one"):
        find_socket()
