import socket
from pathlib import Path

import pytest

import lab as labs
from driftline.cluster import Runtime
from driftline.errors import ContainerNotFound, RuntimeUnavailable
from tests.fakes import crio as fake
from tests.fakes.crio import FakeCrio


@pytest.mark.e2e
def test_pods_started_earlier_are_listed(lab: labs.Lab, pod: labs.Pod) -> None:
    made = pod.container("busybox")
    runtime = Runtime(f"unix://{lab.socket}")

    found = {container.id: container.pod for container in runtime.containers()}
    runtime.close()

    assert found[made.id] == pod.name


@pytest.mark.e2e
def test_unknown_container_is_not_found(runtime: Runtime) -> None:
    with pytest.raises(ContainerNotFound, match="knows no container 00ff"):
        runtime.container("00ff")


@pytest.mark.e2e
def test_known_containers_are_told_from_unknown_ones_in_one_question(
    lab: labs.Lab, runtime: Runtime, pod: labs.Pod
) -> None:
    made, plain = pod.container("busybox"), lab.plain_container("busybox")
    unknown = [f"{number:064x}" for number in range(500)]
    try:
        found = runtime.known([*unknown, made.id, pod.id, plain.id, 'x",id!=y', "a b", "..", ""])
    finally:
        plain.stop()

    assert found == {made.id, pod.id, plain.id}


def test_a_runtime_with_cri_only_tells_which_containers_it_knows(crio: FakeCrio) -> None:
    opened = Runtime(str(crio.socket))

    assert opened.known(["00ff", fake.WEB, fake.POD]) == {fake.WEB, fake.POD}
    opened.close()


@pytest.mark.e2e
def test_removed_container_is_not_found(runtime: Runtime, pod: labs.Pod) -> None:
    made = pod.container("busybox")
    made.stop()

    with pytest.raises(ContainerNotFound):
        runtime.container(made.id)


@pytest.mark.e2e
def test_restarted_runtime_answers_again(lab: labs.Lab, runtime: Runtime, pod: labs.Pod) -> None:
    made = pod.container("busybox")
    before = runtime.container(made.id)

    lab.restart()

    assert runtime.container(made.id) == before


def test_runtime_started_later_is_found(tmp_path: Path) -> None:
    runtime = Runtime(str(tmp_path / "crio.sock"))
    with pytest.raises(RuntimeUnavailable, match="no container runtime listens"):
        runtime.containers()
    with pytest.raises(RuntimeUnavailable, match="no container runtime listens"):
        runtime.known(["00ff"])
    runtime.close()

    crio = FakeCrio(tmp_path / "crio.sock")
    try:
        assert fake.WEB in {container.id for container in runtime.containers()}
    finally:
        runtime.close()
        crio.stop()


def test_hung_runtime_is_unavailable_at_the_deadline(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "hung.sock"))
        listening.listen()
        runtime = Runtime(str(tmp_path / "hung.sock"), timeout=0.2)

        with pytest.raises(RuntimeUnavailable, match="did not answer within"):
            runtime.container("00ff")
        runtime.close()


def test_server_with_another_protocol_is_named(tmp_path: Path) -> None:
    other = FakeCrio(tmp_path / "other.sock", methods={})
    try:
        with pytest.raises(RuntimeUnavailable, match="speaks neither CRI v1 nor containerd's own API"):
            Runtime(str(other.socket)).containers()
    finally:
        other.stop()
