"""Programs that are put back after their exec: no verdict may vouch for bytes that did not run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.conftest import Watched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

ROUNDS = 100
# Other bytes of the same size at the path of an image program, executed and put back within some milliseconds.
SWAP = f"""
import os, sys, time
path = "/opt/lab/true"
good = open(path, "rb").read()
evil = good[:-1] + bytes([good[-1] ^ 1])
def in_place(content):
    with open(path, "wb") as file:
        file.write(content)
def by_rename(content):
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)
put = {{"in place": in_place, "by rename": by_rename}}[sys.argv[1]]
for _ in range({ROUNDS}):
    put(evil)
    pid = os.posix_spawn(path, ["swapped"], {{}})
    os.waitpid(pid, 0)
    put(good)
    time.sleep(0.02)
"""


@pytest.mark.parametrize("way", ["in place", "by rename"])
def test_a_program_that_is_put_back_after_its_exec_is_never_identical(
    watched: Callable[..., Watched], way: str
) -> None:
    rows = watched().after(f"cat > /tmp/swap.py <<'END'\n{SWAP}\nEND\npython3 /tmp/swap.py '{way}'", timeout=60)
    swapped = [
        row
        for row in rows
        if row["kind"] == "event"
        and row.get("ActionType") == "ProcessCreated"
        and row["ProcessCommandLine"] == "swapped"
    ]

    assert len(swapped) == ROUNDS
    assert {row["DriftContent"] for row in swapped} <= {"modified", "unverified"}
    assert [row["SHA256"] for row in swapped if row["DriftContent"] == "unverified" and row["SHA256"]] == []
