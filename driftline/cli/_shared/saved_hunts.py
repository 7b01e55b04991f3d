"""Hunts and functions saved by the user, in files of ``$XDG_CONFIG_HOME/driftline/hunts``.

``NAME.kql`` is a saved hunt. ``functions.kql`` holds ``let`` statements that are put before the text of every hunt.
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from driftline import hunts
from driftline.errors import InvalidInput, InvalidQuery, Problem

__all__ = ["Query", "find", "folder", "forget", "save", "saved_names", "with_functions"]

_FUNCTIONS = "functions"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """The text to run: the functions of ``functions.kql``, then the query that the user wrote."""

    text: str
    function_lines: int = 0
    """Number of lines of the functions, before the first line of the query."""

    def locate(self, error: InvalidQuery) -> InvalidQuery:
        """Return the error with line numbers counted in the user's query, or in ``functions.kql``."""
        return InvalidQuery(*(self._locate(problem) for problem in error.problems))

    # Places in the functions get the name of their file; places in the query are counted without the functions.
    def _locate(self, problem: Problem) -> Problem:
        if problem.line > self.function_lines or not problem.line:
            return dataclasses.replace(problem, line=max(problem.line - self.function_lines, 0))
        return dataclasses.replace(problem, source=str(_path(_FUNCTIONS)))

    def line(self, problem: Problem) -> str:
        """Return the text of the line that a problem returned by ``locate`` is in."""
        line = problem.line if problem.source else problem.line + self.function_lines
        return self.text.split("\n")[line - 1]


def folder() -> Path:
    """Return the folder of the saved hunts, which need not exist."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "driftline" / "hunts"


def with_functions(text: str) -> Query:
    """Return a query with the functions of ``functions.kql`` before it; raises ``InvalidInput``."""
    path = _path(_FUNCTIONS)
    if not path.exists():
        return Query(text)
    # The last statement needs no semicolon in the file, but one before the query.
    functions = _read(path).rstrip().removesuffix(";") + ";\n"
    return Query(functions + text, functions.count("\n"))


def saved_names() -> list[str]:
    """Return the names of the saved hunts, sorted."""
    return sorted(path.stem for path in folder().glob("*.kql") if path.stem != _FUNCTIONS)


def find(name: str) -> str:
    """Return the query of a saved hunt, else of the library's hunt with this name.

    Raises ``InvalidInput`` if there is neither.
    """
    if _NAME.fullmatch(name) and _path(name).exists() and name != _FUNCTIONS:
        return _read(_path(name))
    # A saved hunt cannot hide one of the library: save() refuses the library's names.
    return hunts.find(name).query


def save(name: str, text: str) -> Path:
    """Save a hunt, in place of a saved one with the same name, and return its path.

    A name has at most 64 letters, digits, ``-`` and ``_``, and starts with a letter or digit. Raises
    ``InvalidInput`` for another name and for the name of a hunt in the library.
    """
    if not _NAME.fullmatch(name) or name == _FUNCTIONS:
        raise InvalidInput(f"expected a name of letters, digits, - and _, got {name!r}")
    if name in hunts.load():
        raise InvalidInput(f"{name!r} is a hunt of the library; take another name")
    folder().mkdir(parents=True, exist_ok=True)
    _path(name).write_text(text.rstrip() + "\n", encoding="utf-8")
    return _path(name)


def forget(name: str) -> None:
    """Remove a saved hunt; raises ``InvalidInput`` if there is none with this name."""
    if name not in saved_names():
        raise InvalidInput(f"no saved hunt {name!r}; there are {', '.join(saved_names()) or 'none'}")
    _path(name).unlink()


def _path(name: str) -> Path:
    return folder() / f"{name}.kql"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: {error}") from error
