"""A person's own hunts and functions: files under ``$XDG_CONFIG_HOME/driftline/hunts``.

``NAME.kql`` is a saved hunt. ``functions.kql`` holds ``let`` statements that come before every hunt.
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from driftline import hunts
from driftline.errors import InvalidInput, InvalidQuery, Problem

__all__ = ["Query", "folder", "forget", "named", "own_names", "save", "with_functions"]

FUNCTIONS = "functions"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A hunt's text, and how many lines of functions stand before what the person wrote."""

    text: str
    before: int = 0
    source: str = ""

    def placed(self, error: InvalidQuery) -> InvalidQuery:
        """Give the error with its places counted in what the person wrote, or in the functions' file."""
        return InvalidQuery(*(self._placed(problem) for problem in error.problems))

    def _placed(self, problem: Problem) -> Problem:
        if problem.line > self.before or not problem.line:
            return dataclasses.replace(problem, line=max(problem.line - self.before, 0))
        return dataclasses.replace(problem, source=str(_path(FUNCTIONS)))

    def line(self, problem: Problem) -> str:
        """Give the line that a placed problem is in."""
        line = problem.line if problem.source else problem.line + self.before
        return self.text.split("\n")[line - 1]


def folder() -> Path:
    """Give the folder of the person's hunts, which need not be there."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "driftline" / "hunts"


def with_functions(text: str) -> Query:
    """Put the person's functions before a hunt."""
    path = _path(FUNCTIONS)
    if not path.exists():
        return Query(text)
    functions = _read(path).rstrip().removesuffix(";") + ";\n"
    return Query(functions + text, functions.count("\n"))


def own_names() -> list[str]:
    """List the saved hunts."""
    return sorted(path.stem for path in folder().glob("*.kql") if path.stem != FUNCTIONS)


def named(name: str) -> str:
    """Give the text of a hunt of the person's, or of the library; raises ``InvalidInput``."""
    if NAME.fullmatch(name) and _path(name).exists() and name != FUNCTIONS:
        return _read(_path(name))
    return hunts.find(name).query


def save(name: str, text: str) -> Path:
    """Save a hunt, over an older one of the name; raises ``InvalidInput``."""
    if not NAME.fullmatch(name) or name == FUNCTIONS:
        raise InvalidInput(f"--save: expected a name of letters, digits, - and _, got {name!r}")
    if name in hunts.load():
        raise InvalidInput(f"--save: {name!r} is a hunt of the library; take another name")
    folder().mkdir(parents=True, exist_ok=True)
    _path(name).write_text(text.rstrip() + "\n", encoding="utf-8")
    return _path(name)


def forget(name: str) -> None:
    """Remove a saved hunt; raises ``InvalidInput`` if there is none of the name."""
    if name not in own_names():
        raise InvalidInput(f"--forget: no saved hunt {name!r}; there are {', '.join(own_names()) or 'none'}")
    _path(name).unlink()


def _path(name: str) -> Path:
    return folder() / f"{name}.kql"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: {error}") from error
