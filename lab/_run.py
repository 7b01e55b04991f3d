"""Start the tools the lab is made of, and say what they said when they fail."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ExecResult", "LabError", "run"]


class LabError(Exception):
    """The lab could not do what was asked; the message carries the tool's own words."""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a command ended: its status (128 + signal if one ended it) and what it wrote."""

    exit_code: int
    stdout: bytes
    stderr: bytes

    def check(self) -> "ExecResult":
        """Return itself if the command succeeded, else raise ``LabError`` with its output."""
        if self.exit_code:
            said = (self.stderr or self.stdout).decode(errors="replace").strip()
            raise LabError(f"status {self.exit_code}: {said[-4000:]}")
        return self


def run(*argv: object, stdin: bytes = b"", timeout: float = 300) -> ExecResult:
    """Run a tool to its end."""
    command: Sequence[str] = [str(argument) for argument in argv]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is not installed; run scripts/setup.sh") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(command)} did not end within {timeout:g} s") from error
    return ExecResult(done.returncode, done.stdout, done.stderr)
