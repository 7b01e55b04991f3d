"""Runs the tools that the lab is made of; failures carry the tool's output."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ExecResult", "LabError", "run"]


class LabError(Exception):
    """Failure of the lab; the message contains the output of the tool that failed."""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """Result of a command."""

    exit_code: int
    """Exit status; 128 + signal number if a signal ended the command."""
    stdout: bytes
    """Standard output."""
    stderr: bytes
    """Standard error."""

    def check(self) -> "ExecResult":
        """Return the result if the command succeeded; raise ``LabError`` with its output otherwise."""
        if self.exit_code:
            output = (self.stderr or self.stdout).decode(errors="replace").strip()
            raise LabError(f"status {self.exit_code}: {output[-4000:]}")
        return self


def run(*argv: object, stdin: bytes = b"", timeout: float = 300) -> ExecResult:
    """Run a tool to its end and return its result, whatever its status.

    Raises ``LabError`` if the tool is not installed or runs longer than ``timeout`` seconds.
    """
    command: Sequence[str] = [str(argument) for argument in argv]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is not installed; run scripts/setup.sh") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(command)} did not end within {timeout:g} s") from error
    return ExecResult(done.returncode, done.stdout, done.stderr)
