"""The interactive shell of ``driftline hunt``: queries over several lines, with completion and a history."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from driftline.cli._shared import completers, saved_hunts
from driftline.cli._shared.query_completion import Vocabulary, complete, is_complete
from driftline.cli._shared.result_formats import Output
from driftline.errors import DriftlineError, InvalidInput

__all__ = ["ShellCompleter", "run_shell"]

_HELP = """\
Enter runs a query that is complete, and begins a line otherwise; Alt-Enter always begins a line.
Tab completes tables, columns, operators and functions. Ctrl-C stops a query, Ctrl-D ends the shell.
.tables           list the tables
.schema TABLE     list the columns of a table
.run HUNT         run a hunt of the library or a saved one
.output FORMAT    table, json or csv
.timespan SPAN    only rows of this span back from now, such as 12h; without SPAN all rows
.quit             end the shell"""
_FORMATS = [name for name in get_args(Output) if name != "parquet"]

Answer = Callable[[str, Output, str], None]
"""Runs a query and prints its rows, in an output format and within a time span."""


def run_shell(answer: Answer, vocabulary: Vocabulary, *, output: Output, timespan: str) -> None:
    """Read queries and commands from the terminal and run them, until the input ends."""
    history = _state_folder() / "hunt-history"
    history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    history.touch(mode=0o600)
    session: PromptSession[str] = PromptSession(
        "hunt> ",
        multiline=True,
        prompt_continuation="  ... ",
        completer=ShellCompleter(vocabulary),
        complete_while_typing=False,
        history=FileHistory(str(history)),
        key_bindings=_keys(),
    )
    shell = _Shell(answer, vocabulary, output, timespan)
    print("KQL over driftline's tables. .help lists commands, Ctrl-D ends.")
    while not shell.has_ended:
        try:
            shell.take(session.prompt().strip())
        except KeyboardInterrupt:  # of the line that is typed, or of the query that runs
            continue
        except EOFError:
            return


@dataclass(slots=True)
class _Shell:
    answer: Answer
    vocabulary: Vocabulary
    output: Output
    timespan: str
    has_ended: bool = field(default=False, init=False)

    def take(self, text: str) -> None:
        if not text:
            return
        try:
            if text.startswith("."):
                self._command(*text[1:].split(maxsplit=1))
            else:
                self.answer(text, self.output, self.timespan)
        except DriftlineError as error:
            print(error, file=sys.stderr)

    def _command(self, name: str = "", argument: str = "") -> None:
        match name:
            case "help":
                print(_HELP)
            case "tables":
                print("\n".join(sorted(self.vocabulary.tables)))
            case "schema":
                self._print_schema(argument)
            case "run":
                self.answer(saved_hunts.find(argument), self.output, self.timespan)
            case "output" if argument in _FORMATS:
                self.output = argument  # type: ignore[assignment]  # one of its values
            case "output":
                raise InvalidInput(f".output: expected one of {', '.join(_FORMATS)}, got {argument!r}")
            case "timespan":
                self.timespan = argument
            case "quit" | "exit":
                self.has_ended = True
            case _:
                raise InvalidInput(f"expected a command of .help, got .{name}")

    def _print_schema(self, table: str) -> None:
        columns = self.vocabulary.tables.get(table)
        if columns is None:
            raise InvalidInput(f".schema: expected one of {', '.join(sorted(self.vocabulary.tables))}, got {table!r}")
        print("\n".join(f"{column}: {kind}" for column, kind in columns.items()))


class ShellCompleter(Completer):
    """Completion of queries and of the shell's commands."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Take the tables that queries may read."""
        self._vocabulary = vocabulary

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yield what may follow the text before the cursor."""
        text = document.text_before_cursor
        if text.startswith("."):
            yield from self._of_command(text)
            return
        found, length = complete(text, self._vocabulary)
        for each in found:
            yield Completion(each.text, start_position=-length, display_meta=each.meaning)

    def _of_command(self, text: str) -> Iterable[Completion]:
        command, space, begun = text.partition(" ")
        names = [".help", ".tables", ".schema", ".run", ".output", ".timespan", ".quit"]
        if space:
            names, command = self._arguments(command), begun
        yield from (Completion(name, start_position=-len(command)) for name in names if name.startswith(command))

    def _arguments(self, command: str) -> list[str]:
        if command == ".run":
            return sorted(completers.hunts())
        return sorted({".schema": self._vocabulary.tables, ".output": _FORMATS}.get(command, ()))


# Enter runs what can be run. The terminal sends Alt-Enter as Escape and Enter.
def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=Condition(_can_run))
    def _run(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _break_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def _can_run() -> bool:
    text = get_app().current_buffer.text
    return text.startswith(".") or is_complete(text)


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "driftline"
