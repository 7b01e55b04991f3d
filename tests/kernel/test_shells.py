"""Files that shells read as code: reported and blocked, and the files that they read as data."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator

import pytest

from driftline.events import Subject
from driftline.policy import Blocking
from driftline.sensor.bpf import kernel, records
from driftline.sensor.bpf.records import OpenRecord, RecordFlag
from tests.kernel.world import World

pytestmark = pytest.mark.kernel

Run = Callable[[str], list[records.Record]]

SHELLS = {"bash": "bash", "dash": "dash", "ash": "busybox sh", "zsh": "zsh -f", "mksh": "mksh", "ksh93": "ksh93"}
# A script "n" and its execution by the shell $1, in the words of a shell.
CODE = {
    "without #!": "$1 -c './n; true'",
    "dot command": "$1 -c '. ./n; true'",
    "argument": "$1 ./n",
    "argument after a valued option": "$1 -o errexit ./n",
}
START_FILES = {
    "BASH_ENV": "BASH_ENV=./n bash -c true",
    "--rcfile": "bash --rcfile ./n -i -c true",
    "bash_profile": "mv n .bash_profile; HOME=. bash -l -c true",
    "ENV": "ENV=./n dash -i -c true",
    "source": "bash -c 'source ./n; true'",
    "standard input": "sh < n",
    "standard input of bash": "bash -e < n",
    "standard input of ash": "busybox sh -s a < n",
    "descriptor of standard input": "exec sh /dev/stdin < n",
    "few descriptors": "bash -c 'ulimit -n 24; ./n; true'",
}
DATA = {
    "redirection": "read x < n; while read x; do :; done < n; cat < n",
    "descriptor": "exec 3< n; read x <&3; read y <&3",
    "substitution": 'x="$(cat n)"; test -n "$x"',
}
KSH_SOURCES_LIKE_DATA = pytest.mark.xfail(reason="ksh93 reads a file of the dot command as it reads data", strict=True)


def _cases() -> Iterator[object]:
    for (shell, program), (case, command) in itertools.product(SHELLS.items(), CODE.items()):
        is_unseen = (shell, case) == ("ksh93", "dot command")
        yield pytest.param(program, command, id=f"{shell} {case}", marks=[KSH_SOURCES_LIKE_DATA] * is_unseen)
    for case, command in START_FILES.items():
        yield pytest.param("bash", command, id=case)


def _skip_without(shell: str) -> None:
    if not shutil.which(shell.split(maxsplit=1)[0]):
        pytest.skip(f"{shell} is not installed")


def _code(found: list[records.Record]) -> set[bytes]:
    opens = [record for record in found if isinstance(record, OpenRecord)]
    names = {record.file.path.rpartition(b"/")[2] for record in opens if record.head.flags & RecordFlag.READ_AS_CODE}
    return names & {b"n", b".bash_profile", b".bash_history"}  # start files of this machine are no image files either


@pytest.mark.parametrize(("shell", "command"), tuple(_cases()))
def test_code_that_a_shell_reads_is_reported(run: Run, shell: str, command: str) -> None:
    _skip_without(shell)
    found = run("echo 'echo hi >/dev/null' > n; chmod +x n; " + command.replace("$1", shell))

    assert len(_code(found)) == 1


@pytest.mark.parametrize("case", DATA)
@pytest.mark.parametrize("shell", SHELLS)
def test_data_that_a_shell_reads_is_no_code(run: Run, shell: str, case: str) -> None:
    _skip_without(SHELLS[shell])
    found = run(f"printf 'some\\ndata\\n' > n; {SHELLS[shell]} -c '{DATA[case]}'")

    assert _code(found) == set()


@pytest.mark.parametrize(
    "command", ['x="$(<n)"', "mapfile x < n", "exec {fd}<n; read -u $fd x", "exec 9<n; read -u 9 x"]
)
def test_data_that_only_bash_reads_is_no_code(run: Run, command: str) -> None:
    assert _code(run(f"printf 'some\\ndata\\n' > n; bash -c '{command}'")) == set()


def test_the_history_of_an_interactive_shell_is_no_code(run: Run) -> None:
    found = run("echo ls > .bash_history; echo exit | HOME=. script -qc 'bash --norc -i' /dev/null")

    assert _code(found) == set()


@pytest.fixture(scope="module")
def world(kernel_side: kernel.KernelSide, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world") / "root"
    folder.mkdir()
    made = World(kernel_side, folder)
    yield made
    made.close()


@pytest.mark.parametrize(("shell", "command"), tuple(_cases()))
def test_blocked_code_runs_no_command(world: World, shell: str, command: str) -> None:
    _skip_without(shell)
    folder = world.root / "tmp"
    world.reset()
    world.put_in_force(Blocking(subjects=frozenset({Subject.SCRIPT})), 1)
    for _ in range(5):
        world.sh(f"(cd {folder}; echo 'echo > {folder}/ran' > n; chmod +x n; {command.replace('$1', shell)})")

    assert world.sh(f"test -e {folder}/ran") == 1
