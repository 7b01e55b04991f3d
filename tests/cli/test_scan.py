import hashlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lab as labs
from driftline.cli import scan as command
from driftline.errors import InvalidInput, InvalidReference
from driftline.events import Container
from tests.cli.test_file_writers import event, writers

Run = Callable[..., tuple[int, str]]
WEB = Container(id="aa11", pod="web-1", namespace="shop", name="web")
SIDE = Container(id="aa22", pod="web-1", namespace="shop", name="side")
PAUSE = Container(id="bb33", pod="web-1", namespace="shop", sandbox=True)
NODE = (WEB, SIDE, PAUSE)


@pytest.mark.parametrize("wanted", ["aa11", "web-1/web", "shop/web-1/web"])
def test_a_container_is_chosen_by_id_or_name(wanted: str) -> None:
    assert command._choose(NODE, wanted) == [WEB]


def test_all_excludes_sandbox_containers() -> None:
    assert command._choose(NODE, "") == [WEB, SIDE]


@pytest.mark.parametrize("wanted", ["aa", "web-1"])
def test_an_ambiguous_name_lists_the_matching_containers(wanted: str) -> None:
    with pytest.raises(InvalidReference, match=r"more than one container: shop/web-1/web \(aa11\), shop/web-1/side"):
        command._choose(NODE, wanted)


@pytest.mark.parametrize("wanted", ["bb33", "nobody"])
def test_an_unknown_name_lists_the_running_containers(wanted: str) -> None:
    with pytest.raises(InvalidReference, match=r"names no running container; there are: shop/web-1/web"):
        command._choose(NODE, wanted)


@pytest.mark.parametrize("words", [(), ("web", "--all")])
def test_either_a_container_or_all_is_required(words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="either a container or --all"):
        command.app(list(words), result_action="return_value")


@pytest.mark.parametrize(
    ("ns", "expected"),
    [
        (0, None),
        (1_000_002_003, "1970-01-01T00:00:01.000002+00:00"),
        (1 << 80, None),
        (-(10**9), "1969-12-31T23:59:59+00:00"),
    ],
    ids=["unknown", "microseconds", "no date", "before 1970"],
)
def test_times_are_in_utc(ns: int, expected: str | None) -> None:
    assert command._utc(ns) == expected


@pytest.fixture
def run(lab: labs.Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command against the lab; returns its exit code and its output."""

    def run(*words: str) -> tuple[int, str]:
        code: Any = 0
        try:
            command.app([*words, "--runtime", str(lab.socket), "--images", str(tmp_path)], result_action="return_value")
        except SystemExit as exit_:
            code = exit_.code
        return code, capsys.readouterr().out

    return run


@pytest.mark.e2e
def test_an_unchanged_container_has_no_findings(run: Run, container: Callable[..., labs.LabContainer]) -> None:
    code, shown = run(container("busybox").id[:12], "--fail-on-findings")

    assert code == 0
    assert "nothing differs from its image" in shown


@pytest.mark.e2e
def test_each_finding_is_a_json_line_with_its_container(run: Run, pod: labs.Pod) -> None:
    web = pod.container("busybox")
    web.sh("cp /bin/busybox /tmp/wget; chmod 4755 /bin/busybox; echo x > /tmp/notes")
    web.sh("touch -d '2001-02-03 04:05:06' /tmp/notes")
    code, shown = run(f"{pod.name}/web", "--output", "json", "--fail-on-findings")
    found = {line["path"]: line for line in map(json.loads, shown.splitlines())}

    assert code == 3
    assert {path: (line["changes"], line["content"]) for path, line in found.items()} == {
        "/bin/busybox": (["mode"], ""),
        "/tmp/wget": (["added"], "relocated"),
        "/tmp/notes": (["added"], "added"),
    }
    assert {line["container"] for line in found.values()} == {web.id}
    assert found["/bin/busybox"]["after"]["mode"] == "4755"
    assert list(found)[-1] == "/tmp/notes"
    assert found["/tmp/notes"]["mtime"] == "2001-02-03T04:05:06+00:00"
    assert found["/tmp/notes"]["ctime"] > "2026"


@pytest.mark.e2e
def test_executables_of_all_containers_are_shown_as_a_table(run: Run, pod: labs.Pod) -> None:
    pod.container("busybox").sh("printf '#!/bin/sh\\n' > /tmp/x.sh; echo x > /tmp/notes; rm /bin/true")
    code, shown = run("--all", "--executables")

    assert code == 0
    assert ["added", "/tmp/x.sh", "executable,", "file,", "changed"] in [
        line.split()[:5] for line in shown.splitlines()
    ]
    assert "/tmp/notes" not in shown


@pytest.mark.e2e
def test_what_runs_comes_first_with_its_processes(run: Run, pod: labs.Pod) -> None:
    web = pod.container("busybox")
    web.sh("cp /bin/busybox /tmp/a; cp /bin/busybox /tmp/busybox")
    web.sh("/tmp/busybox sleep 1000 >/dev/null 2>&1 </dev/null &")
    _, shown = run(f"{pod.name}/web", "--output", "json")
    lines = [json.loads(line) for line in shown.splitlines()]

    assert [(line["path"], line["running"]) for line in lines] == [("/tmp/busybox", True), ("/tmp/a", False)]
    (pid,) = lines[0]["pids"]
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"/tmp/busybox\0sleep\x001000\0"
    _, table = run(f"{pod.name}/web")
    assert f"runs now (process {pid}), executable" in table


@pytest.mark.e2e
def test_a_gained_capability_is_shown_by_name(run: Run, pod: labs.Pod) -> None:
    web = pod.container("busybox")
    cap_net_raw = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
    os.setxattr(f"/proc/{web.pid}/root/bin/busybox", "security.capability", cap_net_raw)
    _, table = run(f"{pod.name}/web")
    _, shown = run(f"{pod.name}/web", "--output", "json")
    (line,) = map(json.loads, shown.splitlines())

    assert "executable, no capabilities → cap_net_raw=ep" in table
    assert (line["changes"], line["after"]["capabilities"]) == (["capabilities"], "cap_net_raw=ep")


@pytest.mark.e2e
def test_derived_bytecode_is_a_group_of_its_own(run: Run, pod: labs.Pod) -> None:
    web = pod.container("glibc")
    web.sh("python3 -c 'import colorsys'; echo 'import json' > /tmp/dropped.py; cd /tmp; python3 -c 'import dropped'")
    _, shown = run(f"{pod.name}/web", "--output", "json")
    lines = [json.loads(line) for line in shown.splitlines()]
    derived = {line["path"]: line["note"] for line in lines if line["derived"]}
    others = {line["path"]: line["executable"] for line in lines if not line["derived"]}
    _, table = run(f"{pod.name}/web")
    _, executables = run(f"{pod.name}/web", "--executables")

    (colorsys,) = (path for path in derived if "/colorsys." in path)
    assert derived[colorsys] == f"bytecode of {colorsys.rpartition('/__pycache__/')[0]}/colorsys.py"
    assert [path for path, can_run in others.items() if can_run] == [path for path in others if path.endswith(".pyc")]
    assert any("/dropped." in path for path in others)
    assert not any("/dropped." in path for path in derived)
    assert f"bytecode that Python derived from unchanged sources of the image: {len(derived)}" in table
    assert "bytecode that" not in executables
    assert "/dropped." in executables


@pytest.mark.e2e
def test_the_writer_of_the_same_bytes_is_named(run: Run, pod: labs.Pod, tmp_path: Path) -> None:
    web = pod.container("busybox")
    web.sh("echo x > /tmp/x; echo y > /tmp/y")
    sha256 = hashlib.sha256(b"x\n").hexdigest()
    written = {"ContainerId": web.id, "FolderPath": "/tmp", "SHA256": sha256}
    writers(tmp_path / "s", event(FileName="x", **written), event(FileName="y", **written))
    _, shown = run(f"{pod.name}/web", "--output", "json", "--store", str(tmp_path / "s"))
    _, table = run(f"{pod.name}/web", "--store", str(tmp_path / "s"))
    found = {line["path"]: line["writer"] for line in map(json.loads, shown.splitlines())}

    assert found["/tmp/x"]["command_line"] == "curl -o /tmp/x"
    assert found["/tmp/y"] is None
    assert "written by curl -o /tmp/x (process 7)" in table
