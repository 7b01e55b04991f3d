"""Each installation has the packages that its commands import, and no others."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "driftline").rglob("*.py")
}
DISTRIBUTIONS = importlib.metadata.packages_distributions()
COMMANDS = {
    "sensor": [
        "driftline.cli.sensor",
        "driftline.cli.scan",
        "driftline.cli.image",
        "driftline.cli.status",
        "driftline.cli.policy",
    ],
    "server": ["driftline.cli.server", "driftline.cli.hunt", "driftline.cli.store", "driftline.cli.fleet"],
}
PROCESSES = {
    "sensor": [
        "driftline.sensor.shipping.process",
        "driftline.sensor.bpf.selftest",
        "driftline.sensor.verdicts.indexes",
    ],
    "server": ["driftline.store.process.service", "driftline.store.query.sandbox"],
}


def imports(module: str, *, at_import: bool) -> Iterator[str]:
    """Dotted names that a module imports: all of them, or those of its own import alone."""
    pending: list[ast.AST] = [syntax_tree(module)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif at_import and (isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or type_checking(node)):
            continue
        pending.extend(ast.iter_child_nodes(node))


@cache
def syntax_tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text())


def type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@cache
def closure(start: str) -> frozenset[str]:
    """Names of other packages that importing a module imports, through all modules of driftline."""
    seen: set[str] = set()
    packages: set[str] = set()
    pending = [start]
    while pending:
        module = pending.pop()
        parents = [module.rsplit(".", count)[0] for count in range(module.count(".") + 1)]
        for each in {*parents, module} - seen:
            seen.add(each)
            for name in imports(each, at_import=True):
                top = name.split(".")[0]
                if name in MODULES:
                    pending.append(name)
                elif top != "driftline" and top not in sys.stdlib_module_names:
                    packages.add(name)
    return frozenset(packages)


def distribution(name: str) -> str:
    """The normalized distribution that provides an imported name, ``google.protobuf`` being of a namespace."""
    top = "protobuf" if name.startswith("google.protobuf") else name.split(".", maxsplit=1)[0]
    return normalized(DISTRIBUTIONS.get(top, [top])[0])


def normalized(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\[>=<~! ;]", requirement)[0]).lower()


def declared(*extras: str) -> set[str]:
    requirements = [
        *PROJECT["dependencies"],
        *(each for extra in extras for each in PROJECT["optional-dependencies"][extra]),
    ]
    return {normalized(each) for each in requirements}


@pytest.mark.parametrize("extra", ["sensor", "server"])
def test_an_extra_has_all_that_its_commands_and_processes_import(extra: str) -> None:
    imported = {distribution(name) for start in COMMANDS[extra] + PROCESSES[extra] for name in closure(start)}

    assert imported - declared(extra) == set()


def test_a_sensor_needs_no_part_of_the_server() -> None:
    imported = {distribution(name) for start in COMMANDS["sensor"] + PROCESSES["sensor"] for name in closure(start)}

    assert imported & (declared("server") - declared("sensor")) == set()


def test_every_import_is_declared_and_every_requirement_is_imported() -> None:
    names = {name for module in MODULES for name in imports(module, at_import=False)}
    foreign = {
        name for name in names if name.split(".")[0] not in {"driftline", "__future__", *sys.stdlib_module_names}
    }
    imported = {distribution(name) for name in foreign}
    unnamed = {"httptools"}  # uvicorn chooses it where it is installed

    assert imported == declared("sensor", "server") - unnamed


def test_a_command_without_its_packages_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "duckdb.py").write_text("raise ModuleNotFoundError(\"No module named 'duckdb'\", name='duckdb')")
    command = (sys.executable, "-m", "driftline.cli", "hunt", "print 1")
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )

    expected = "driftline: error: this command needs the package duckdb: pip install 'driftline[all]'\n"
    assert (done.returncode, done.stderr) == (2, expected)
