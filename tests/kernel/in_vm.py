"""Self-test and blocking on the running kernel, printed as one JSON object: ``python -m tests.kernel.in_vm``."""

from __future__ import annotations

import json
import platform
import sys
import tempfile
from pathlib import Path

from driftline.events import Subject
from driftline.policy import Blocking
from driftline.sensor.bpf import kernel, selftest
from tests.kernel.world import World, was_blocked

CASES = {
    "untouched": ("/bin/a", "untouched"),
    "put back": ("/bin/a", "image"),
    "modified": ("/bin/a", "longer"),
    "added": ("/bin/new", "longer"),
    "relocated": ("/tmp/a", "image"),
    "volume": ("/volume/a", "image"),
}


def main() -> None:
    """Print the findings."""
    with kernel.KernelSide() as side, tempfile.TemporaryDirectory() as folder:
        failures = selftest.run_selftest(side)
        root = Path(folder) / "root"
        root.mkdir()
        world = World(side, root)
        found = {name: try_case(world, path, content) for name, (path, content) in CASES.items()}
        found["script"] = try_script(world)
        can_deny = side.can_deny
        world.close()
    json.dump({"kernel": platform.release(), "selftest": failures, "can_deny": can_deny, "cases": found}, sys.stdout)


def try_case(world: World, path: str, content: str) -> tuple[int, bool]:
    """Execute a file while programs and scripts are blocked; return its exit code and whether it was blocked."""
    world.reset()
    target = world.write(path, content)
    world.put_in_force(Blocking(subjects=frozenset((Subject.BINARY, Subject.SCRIPT))), 1)
    code, record = world.execute(target)
    return code, was_blocked(record)


def try_script(world: World) -> tuple[int, bool]:
    """Execute a new script under a policy that blocks scripts; return as ``try_case``."""
    world.reset()
    world.sh(f"printf '#!/bin/a\\n' > {world.root}/tmp/s; chmod +x {world.root}/tmp/s")
    world.put_in_force(Blocking(subjects=frozenset((Subject.SCRIPT,))), 1)
    code, record = world.execute(world.root / "tmp/s")
    return code, was_blocked(record)


if __name__ == "__main__":
    main()
