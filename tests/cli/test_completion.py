"""Completion of commands and names by a real bash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from driftline.cli import command_line


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold the script of bash, and a ``driftline`` that the script can call."""
    folder = tmp_path_factory.mktemp("completion")
    program = folder / "driftline"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m driftline.cli "$@"\n')
    program.chmod(0o755)
    path = folder / "driftline.bash"
    path.write_text(command_line().generate_completion(shell="bash"))
    return path


def completions(script: Path, *words: str) -> list[str]:
    """Return what bash offers for the last word."""
    line = " ".join(f"'{word}'" for word in ("driftline", *words))
    commands = (
        f'source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; COMP_LINE="${{COMP_WORDS[*]}}";'
        " COMP_POINT=${#COMP_LINE}; _driftline; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    environment = {**os.environ, "PATH": f"{script.parent}:{os.environ['PATH']}"}
    result = subprocess.run(("bash", "-c", commands), env=environment, capture_output=True, text=True, check=True)
    return [line.strip() for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("hu",), "hunt"),
        (("hunt", "sh"), "show"),
        (("hunt", "show", "crypto"), "crypto-miner"),
        (("hunt", "--run", "crypto"), "crypto-miner"),
        (("events", "--table", "Alert"), "AlertInfo"),
        (("completion", "z"), "zsh"),
    ],
)
def test_bash_completes_commands_and_names(script: Path, words: tuple[str, ...], expected: str) -> None:
    assert expected in completions(script, *words)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script_too(shell: str) -> None:
    made = command_line().generate_completion(shell=shell)  # type: ignore[arg-type]

    assert "driftline" in made and "__complete" in made
