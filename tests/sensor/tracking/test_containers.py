from driftline.sensor.bpf.records import Cgroup
from driftline.sensor.tracking.containers import Registry, cgroups_of
from tests.sensor import making

ID = "a" * 64
PATH = f"/kubepods/besteffort/pod12345678-1234-1234-1234-123456789012/{ID}".encode()


def test_a_container_is_known_by_its_cgroup_alone() -> None:
    new: list[str] = []
    registry = Registry(on_new=new.append, on_cgroup=lambda _: None)
    registry.add(Cgroup(7, 0), PATH)
    registry.add(Cgroup(8, 0), PATH + b"/init.scope")
    found = registry.of(making.head(cgroup=Cgroup(8, 0)))

    assert found is not None
    assert (found.id, new) == (ID, [ID])
    assert found.cgroups == {Cgroup(7, 0)}


def test_it_is_forgotten_with_its_last_cgroup() -> None:
    registry = Registry(on_new=lambda _: None, on_cgroup=lambda _: None)
    for hierarchy in (0, 4):
        registry.add(Cgroup(7, hierarchy), PATH)
    assert registry.removed(Cgroup(7, 0)) is None
    assert len(registry) == 1
    gone = registry.removed(Cgroup(7, 4))

    assert gone and gone.id == ID
    assert len(registry) == 0


def test_the_nodes_own_cgroups_are_nobodys() -> None:
    registry = Registry(on_new=lambda _: None, on_cgroup=lambda _: None)
    registry.add(Cgroup(7, 0), b"/system.slice/ssh.service")

    assert registry.of(making.head()) is None


def test_a_process_tells_its_cgroups() -> None:
    found = cgroups_of(1)

    assert found and all(cgroup.id > 0 and path.startswith(b"/") for cgroup, path in found)
    assert cgroups_of(2**22 + 1) == []
