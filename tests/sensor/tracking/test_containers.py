from driftline.events import Container
from driftline.sensor.bpf.records import Cgroup
from driftline.sensor.tracking.containers import ContainerTable, cgroups_of
from tests.sensor import making

ID = "a" * 64
PATH = f"/kubepods/besteffort/pod12345678-1234-1234-1234-123456789012/{ID}".encode()


def new_table(new: list[str] | None = None) -> ContainerTable:
    """Return an empty table, which appends the ids of new containers to ``new``."""
    return ContainerTable(on_new=([] if new is None else new).append, on_gone=lambda _: None, on_cgroup=lambda _: None)


def test_a_container_is_recognized_by_its_cgroup_alone() -> None:
    new: list[str] = []
    containers = new_table(new)
    containers.add(Cgroup(7, 0), PATH)
    containers.add(Cgroup(8, 0), PATH + b"/init.scope")
    found = containers.of(making.head(cgroup=Cgroup(8, 0)))

    assert found is not None
    assert (found.id, new) == (ID, [ID])
    assert found.cgroups == {Cgroup(7, 0)}


def test_a_container_is_removed_with_its_last_cgroup() -> None:
    containers = new_table()
    for hierarchy in (0, 4):
        containers.add(Cgroup(7, hierarchy), PATH)
    assert containers.removed(Cgroup(7, 0)) is None
    assert len(containers) == 1
    gone = containers.removed(Cgroup(7, 4))

    assert gone and gone.id == ID
    assert len(containers) == 0


def test_cgroups_of_the_node_belong_to_no_container() -> None:
    containers = new_table()
    containers.add(Cgroup(7, 0), b"/system.slice/ssh.service")

    assert containers.of(making.head()) is None


def test_cgroups_of_a_process_are_read_from_proc() -> None:
    found = cgroups_of(1)

    assert found and all(cgroup.id > 0 and path.startswith(b"/") for cgroup, path in found)
    assert cgroups_of(2**22 + 1) == []


POD_UID = "12345678-1234-1234-1234-123456789012"


def gone_before_its_name(containers: ContainerTable) -> None:
    containers.add(Cgroup(7, 0), PATH)
    containers.removed(Cgroup(7, 0))


def test_the_path_of_a_cgroup_gives_the_uid_of_the_pod() -> None:
    containers = new_table()
    found = containers.add(Cgroup(7, 0), PATH)

    assert found and found.container == Container(id=ID, pod_uid=POD_UID)


def test_a_container_that_ended_without_a_name_is_found_once() -> None:
    containers = new_table()
    gone_before_its_name(containers)

    assert containers.get(ID) is None
    assert [(found.id, found.has_ended) for found in containers.found(ID)] == [(ID, True)]
    assert containers.found(ID) == []


def test_two_containers_of_one_name_are_both_found() -> None:
    containers = new_table()
    gone_before_its_name(containers)
    gone_before_its_name(containers)
    containers.add(Cgroup(9, 0), PATH)

    assert [found.has_ended for found in containers.found(ID)] == [True, True, False]


def test_a_record_with_the_path_of_its_cgroup_needs_no_other() -> None:
    containers = new_table()
    gone = making.head(cgroup=Cgroup(7, 0), tgid=2**22 + 1)

    assert containers.of(gone) is None
    found = containers.of(gone, PATH)
    assert found and found.id == ID
    assert containers.of(gone) is found
