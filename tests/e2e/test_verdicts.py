"""Verdicts on every way to execute a file in a container.

A test always compares the whole list of alerts: any execution that it does not name must not alert.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import lab as labs
from lab import HostMount, volumes
from tests.e2e.conftest import Watched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ADDED = ("writable-layer", "added")
RELOCATED = ("writable-layer", "relocated")
MODIFIED = ("writable-layer", "modified")

# A program whose content the image does not have: an image program with one more byte.
DROP = "cp /opt/lab/true /tmp/new; echo x >> /tmp/new; "

CASES = {
    "image binary": ("/opt/lab/true; ls / >/dev/null", []),
    "image script": ("/opt/lab/script.sh; sh /opt/lab/script.sh; python3 /opt/lab/script.py", []),
    "image library": ("/opt/lab/load libgreet.so; /opt/lab/dynamic", []),
    "dropped binary": (DROP + "/tmp/new", [("/tmp/new", "binary", *ADDED)]),
    "copied up by chmod": ("chmod 711 /opt/lab/true; /opt/lab/true", []),
    "copied up by touch": ("touch /opt/lab/true; /opt/lab/true", []),
    "copied up by chown": ("chown 1:1 /opt/lab/true; /opt/lab/true", []),
    "chmod right after the exec": (
        "chmod 711 /opt/lab/true; for i in 1 2 3 4 5 6 7 8; do /opt/lab/true; chmod 71$((i % 2)) /opt/lab/true; done",
        [],
    ),
    "renamed and back": ("mv /opt/lab/uid /opt/lab/x; mv /opt/lab/x /opt/lab/uid; /opt/lab/uid", []),
    "overwritten in place": ("echo x >> /opt/lab/true; /opt/lab/true", [("/opt/lab/true", "binary", *MODIFIED)]),
    "replaced by rename": (
        DROP + "mv /tmp/new /opt/lab/true; /opt/lab/true",
        [("/opt/lab/true", "binary", *MODIFIED)],
    ),
    "copied": ("cp /opt/lab/true /tmp/x; /tmp/x", [("/tmp/x", "binary", *RELOCATED)]),
    "hard-linked": ("ln /opt/lab/true /tmp/x; /tmp/x", [("/tmp/x", "binary", *RELOCATED)]),
    "symlinked": ("ln -s /opt/lab/true /tmp/x; /tmp/x", []),
    "renamed": ("mv /opt/lab/true /opt/lab/y; /opt/lab/y", [("/opt/lab/y", "binary", *RELOCATED)]),
    "dropped script": (
        "printf '#!/bin/sh\\ntrue\\n' > /tmp/s.sh; chmod +x /tmp/s.sh; /tmp/s.sh",
        [("/tmp/s.sh", "script", *ADDED)],
    ),
    "script given to sh": ("echo true > /tmp/x.sh; sh /tmp/x.sh", [("/tmp/x.sh", "script", *ADDED)]),
    "script given to python": ("echo pass > /tmp/x.py; python3 /tmp/x.py", [("/tmp/x.py", "script", *ADDED)]),
    "script without suffix": ("echo true > /tmp/x; bash /tmp/x", [("/tmp/x", "script", *ADDED)]),
    "script without #!": (
        "echo : > /tmp/n; chmod +x /tmp/n; bash -c '/tmp/n; true'",
        [("/tmp/n", "script", *ADDED)],
    ),
    "file of the dot command": ("echo : > /tmp/x; sh -c '. /tmp/x'", [("/tmp/x", "script", *ADDED)]),
    "start file": ("echo : > /tmp/x; BASH_ENV=/tmp/x bash -c true", [("/tmp/x", "script", *ADDED)]),
    "standard input": ("echo : > /tmp/x; sh < /tmp/x", [("/tmp/x", "script", *ADDED)]),
    "standard input of python": ("echo pass > /tmp/x; python3 -u < /tmp/x", [("/tmp/x", "script", *ADDED)]),
    "data on standard input": ("echo 1 > /tmp/x; python3 /opt/lab/script.py < /tmp/x; sh -c cat < /tmp/x", []),
    "python module": ("echo pass > /tmp/m.py; cd /tmp; python3 -c 'import m'", [("/tmp/m.py", "script", *ADDED)]),
    "python module imported again": (
        "echo pass > /tmp/m.py; cd /tmp; python3 -c 'import m'; python3 -c 'import m'",
        [("/tmp/m.py", "script", *ADDED), ("/tmp/__pycache__/m.cpython-311.pyc", "script", *ADDED)],
    ),
    "data a shell reads": ("echo a > /tmp/data; while read x; do :; done < /tmp/data; cat /tmp/data", []),
    "ld.so": (
        "cp /opt/lab/dynamic /tmp/x; /lib64/ld-linux-x86-64.so.2 /tmp/x",
        [("/tmp/x", "loader", *RELOCATED)],
    ),
    "ld.so with an image program": ("/lib64/ld-linux-x86-64.so.2 /opt/lab/dynamic", []),
    "deleted before exec": (
        "cp /usr/bin/sleep /tmp/new; echo x >> /tmp/new; /opt/lab/delexec /tmp/new 0.2",
        [("/tmp/new", "binary", "deleted", "added")],
    ),
    "deleted right after exec": (
        "cp /usr/bin/sleep /tmp/x; echo >> /tmp/x; /tmp/x 1 & sleep 0.2; rm /tmp/x; wait",
        [("/tmp/x", "binary", *ADDED)],
    ),
    "/proc/self/fd/N": (DROP + "/opt/lab/fdexec /tmp/new", [("/tmp/new", "binary", *ADDED)]),
    "LD_PRELOAD": (
        "cp /opt/lab/libgreet.so /tmp/p.so; LD_PRELOAD=/tmp/p.so /opt/lab/dynamic",
        [("/tmp/p.so", "library", *RELOCATED)],
    ),
    "dlopen": (
        "cp /opt/lab/libgreet.so /tmp/p.so; echo >> /tmp/p.so; /opt/lab/load /tmp/p.so",
        [("/tmp/p.so", "library", *ADDED)],
    ),
    "library replaced in place": (
        "echo >> /usr/lib/libgreet.so; /opt/lab/dynamic",
        [("/usr/lib/libgreet.so", "library", *MODIFIED)],
    ),
    "library copied up unchanged": ("touch /usr/lib/libgreet.so; /opt/lab/dynamic", []),
    "setuid file": (
        "cp /opt/lab/uid /tmp/u; chmod 4755 /tmp/u; setpriv --reuid 1000 --clear-groups /tmp/u",
        [("/tmp/u", "binary", *RELOCATED)],
    ),
    "setuid image file": ("chmod 4755 /opt/lab/uid; setpriv --reuid 1000 --clear-groups /opt/lab/uid", []),
    "name with spaces and newline": (
        'n=$(printf \'/tmp/a b\\nc\'); cp /opt/lab/true "$n"; "$n"',
        [("/tmp/a b\nc", "binary", *RELOCATED)],
    ),
    "name of invalid UTF-8": (
        'n=$(printf \'/tmp/\\377x\'); cp /opt/lab/true "$n"; "$n"',
        [("/tmp/\\xffx", "binary", *RELOCATED)],
    ),
    "changed comm and argv[0]": (
        DROP + "/opt/lab/disguise '[kworker/0:1]' /tmp/new",
        [("/tmp/new", "binary", *ADDED)],
    ),
    "exec -a": ("cp /bin/bash /tmp/b; exec -a nginx /tmp/b -c true", [("/tmp/b", "binary", *RELOCATED)]),
}


@pytest.mark.parametrize("case", CASES)
def test_alerts_of_an_execution(watched: Callable[..., Watched], case: str) -> None:
    script, expected = CASES[case]

    assert watched().alerts(f"exec bash -c {_quote(script)}") == expected


def _quote(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"


def test_a_memfd_is_added_content_in_memory(watched: Callable[..., Watched]) -> None:
    """It lives 0.2 s, since a memfd can only be read while its process runs."""
    found = watched().alerts("cp /usr/bin/sleep /tmp/s; echo >> /tmp/s; /opt/lab/memexec /tmp/s name 0.2")

    assert found == [("/memfd:name", "binary", "memory", "added")]


def test_rows_have_the_fields_that_defenders_hunts_read(watched: Callable[..., Watched]) -> None:
    script = DROP + "/tmp/new; cp /usr/bin/sleep /tmp/s; echo >> /tmp/s; /opt/lab/memexec /tmp/s name 0.2"
    rows = watched().after(script)
    found = {row["FileName"]: row["AdditionalFields"] for row in rows if row["kind"] == "alert"}

    assert found["new"]["UpperLayer"] is True and "Memfd" not in found["new"]
    assert found["memfd:name"]["Memfd"] is True and "UpperLayer" not in found["memfd:name"]
    assert {fields["DriftAction"] for fields in found.values()} == {"Alert"}


def test_a_memfd_of_image_content_is_relocated(watched: Callable[..., Watched]) -> None:
    found = watched().alerts("/opt/lab/memexec /usr/bin/sleep runc_cloned 0.2")

    assert found == [("/memfd:runc_cloned", "binary", "memory", "relocated")]


def test_a_short_lived_memfd_alerts(watched: Callable[..., Watched]) -> None:
    (found,) = watched().alerts("/opt/lab/memexec /opt/lab/true name")

    assert found[:3] == ("/memfd:name", "binary", "memory")


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("emptyDir", volumes.empty_dir),
        ("PVC", volumes.pvc),
        ("configMap", lambda uid, name: volumes.config_map(uid, name, {"key": b""})),
    ],
)
def test_a_program_on_a_volume_names_the_kind_of_volume(
    watched: Callable[..., Watched], pod: labs.Pod, kind: str, make: Callable[[str, str], object]
) -> None:
    mount = HostMount(make(pod.uid, "data"), "/vol")  # type: ignore[arg-type] # all give a Path
    container = watched(mounts=(mount,))
    rows = [row for row in container.after("cp /opt/lab/true /vol/x; /vol/x") if row["kind"] == "alert"]

    assert [(row["DriftOrigin"], row["AdditionalFields"]["VolumeKind"]) for row in rows] == [("volume", kind)]


def test_a_program_of_a_configmap_has_the_path_that_people_use(watched: Callable[..., Watched], pod: labs.Pod) -> None:
    mount = HostMount(volumes.config_map(pod.uid, "scripts", {"run.sh": b"#!/bin/sh\ntrue\n"}), "/vol")

    assert [found[0] for found in watched(mounts=(mount,)).alerts("/vol/run.sh")] == ["/vol/run.sh"]


def test_a_program_on_a_host_path_volume(watched: Callable[..., Watched], tmp_path: object) -> None:
    container = watched(mounts=(HostMount(tmp_path, "/host"),))  # type: ignore[arg-type] # a Path
    rows = [row for row in container.after("cp /opt/lab/true /host/x; /host/x") if row["kind"] == "alert"]

    assert [(row["DriftOrigin"], row["AdditionalFields"]["VolumeKind"]) for row in rows] == [("volume", "hostPath")]


def test_a_program_on_a_memory_backed_volume(watched: Callable[..., Watched], pod: labs.Pod) -> None:
    container = watched(mounts=(HostMount(volumes.memory_dir(pod.uid, "ram"), "/ram"),))

    assert container.alerts("cp /opt/lab/true /ram/x; /ram/x") == [("/ram/x", "binary", "volume", "relocated")]


def test_a_program_on_a_tmpfs_of_the_container(watched: Callable[..., Watched]) -> None:
    script = "mkdir /tmp/t; mount -t tmpfs tmpfs /tmp/t; cp /opt/lab/true /tmp/t/x; /tmp/t/x"

    assert watched(privileged=True).alerts(script) == [("/tmp/t/x", "binary", "tmpfs", "relocated")]


def test_dev_shm_is_not_executable(watched: Callable[..., Watched]) -> None:
    """CRI mounts /dev/shm noexec; only a privileged container can change that."""
    assert watched().alerts("cp /opt/lab/true /dev/shm/x; /dev/shm/x") == []


def test_a_program_in_a_remounted_dev_shm_alerts(watched: Callable[..., Watched]) -> None:
    found = watched(privileged=True).alerts("mount -o remount,exec /dev/shm; cp /opt/lab/true /dev/shm/x; /dev/shm/x")

    assert [row[:2] for row in found] == [("/dev/shm/x", "binary")]
    assert found[0][3] == "relocated"


def test_a_file_capability_does_not_change_the_verdict(watched: Callable[..., Watched]) -> None:
    found = watched().alerts(
        DROP + "setcap cap_net_raw+ep /tmp/new; /tmp/new; setcap cap_net_raw+ep /opt/lab/uid; /opt/lab/uid"
    )

    assert found == [("/tmp/new", "binary", *ADDED)]


def test_chroot(watched: Callable[..., Watched]) -> None:
    """A copy of an image program in a chroot is relocated, reported at its path in the container."""
    found = watched().alerts("mkdir -p /tmp/r; cp /opt/lab/true /tmp/r/x; chroot /tmp/r /x")

    assert found == [("/tmp/r/x", "binary", *RELOCATED)]


def test_an_image_program_through_a_bind_mount_of_the_root_is_no_drift(watched: Callable[..., Watched]) -> None:
    found = watched(privileged=True).alerts(
        "mkdir /tmp/m; mount --bind / /tmp/m; /tmp/m/opt/lab/true; chroot /tmp/m /opt/lab/true"
    )

    assert found == []


NESTED = (
    "mkdir -p /tmp/n; mount -t tmpfs tmpfs /tmp/n; cd /tmp/n; mkdir l u w m; cp /usr/bin/sleep l/evil; "
    "mount -t overlay -o lowerdir=l,upperdir=u,workdir=w overlay m; "
)


def test_a_file_below_a_nested_overlay_is_drift(watched: Callable[..., Watched]) -> None:
    """In an overlay that an attacker mounts, a dropped file is in the lower layer."""
    found = watched(privileged=True).alerts(f"unshare --mount sh -c '{NESTED} ./m/evil 0.2'")

    assert [(path, subject, content) for path, subject, _, content in found] == [
        ("/tmp/n/m/evil", "binary", "relocated")
    ]


def test_a_program_after_pivot_root_into_a_nested_overlay_is_drift(watched: Callable[..., Watched]) -> None:
    nested = NESTED.replace("/usr/bin/sleep l/evil", "/bin/busybox l/sleep")
    script = f"{nested} mkdir m/old; cd m; pivot_root . old; exec /sleep 0.2"
    found = watched("busybox", privileged=True).alerts(f"unshare --mount sh -c '{script}'")

    assert [(subject, content) for _, subject, _, content in found] == [("binary", "relocated")]


def test_a_program_in_a_nested_container_is_drift(watched: Callable[..., Watched]) -> None:
    """Namespaces and a root, set up as a container runtime inside the container does."""
    script = (
        "mkdir -p /tmp/c/bin; cp /bin/busybox /tmp/c/bin/; "
        "unshare --mount --pid --fork --uts --ipc chroot /tmp/c /bin/busybox sleep 0.2"
    )

    assert watched("busybox", privileged=True).alerts(script) == [("/tmp/c/bin/busybox", "binary", *RELOCATED)]


def test_busybox_applets_are_no_drift(watched: Callable[..., Watched]) -> None:
    assert watched("busybox").alerts("ls /; busybox true; wc -c /bin/busybox; sh -c id") == []


def test_an_image_of_forty_layers(watched: Callable[..., Watched]) -> None:
    container = watched("layers40")

    assert container.alerts("ls /layers; touch /opt/lab/true; /opt/lab/true") == []
    assert container.alerts("cp /bin/busybox /tmp/ls; /tmp/ls") == [("/tmp/ls", "binary", *RELOCATED)]


def test_a_path_of_4096_bytes_is_reported_whole(watched: Callable[..., Watched]) -> None:
    name = "n" * 254
    rounds = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15"
    script = f"cd /tmp; for i in {rounds}; do mkdir {name}; cd {name}; done; cp /opt/lab/true {name}; ./{name}"
    (found,) = watched().alerts(script)

    assert found == ("/tmp/" + "/".join([name] * 16), "binary", *RELOCATED)


def test_a_sparse_program_of_10_gb_is_unverified(watched: Callable[..., Watched]) -> None:
    (found,) = watched().alerts("cp /usr/bin/sleep /tmp/x; truncate -s 10G /tmp/x; /tmp/x 0.2; rm /tmp/x")

    assert found[:3] == ("/tmp/x", "binary", "writable-layer")
    assert "10,737,418,240 bytes; at most 1,073,741,824 are read" in found[3]


def test_fifos_and_devices_neither_hang_nor_alert(watched: Callable[..., Watched]) -> None:
    """They cannot be executed; as script arguments they neither hang the sensor nor alert."""
    script = "mkfifo /tmp/f; (echo true > /tmp/f &); sh /tmp/f; chmod +x /tmp/f; /tmp/f; sh /dev/null; /dev/null"

    assert watched().alerts(script) == []


def test_an_argv_of_two_megabytes_is_reported(watched: Callable[..., Watched]) -> None:
    script = (
        DROP + 'a=$(head -c 120000 /dev/zero | tr "\\0" a); /tmp/new $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a $a'
    )
    rows = [row for row in watched("busybox").after(script) if row["kind"] == "alert"]

    assert [row["FileName"] for row in rows] == ["new"]
    assert rows[0]["AdditionalFields"]["ArgumentsLength"] > 1_900_000
