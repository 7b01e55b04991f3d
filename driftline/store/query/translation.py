"""Translation of a hunt's KQL to SQL as data, so that a process of its own can do it.

``python -m driftline.store.query.translation`` does one task after the other (``query.translators`` starts and
kills it): it translates a hunt, or composes or checks one with saved hunts (``query.composition``). It reads tasks from
standard input and writes messages to standard output, each behind its length in 4
bytes. An operator whose columns depend on the data (``evaluate pivot``) makes the process ask for rows: it writes a
``Lookup`` and reads the rows. The process imports neither DuckDB nor Arrow.
"""

from __future__ import annotations

import datetime
import pickle
import resource
import signal
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import msgspec

from driftline import kql
from driftline.errors import InvalidInput, InvalidQuery, Problem, QueryProblem
from driftline.hunts.schema import SCHEMA, VIEWS
from driftline.kql.plan import walk
from driftline.kql.plan.nodes import Table
from driftline.kql.rewrite import All, Bounds, Either, Need, Reach, Term

__all__ = [
    "HEAD",
    "MESSAGE",
    "Answer",
    "Checked",
    "CompiledHunt",
    "Composed",
    "Done",
    "Failed",
    "Lookup",
    "Rows",
    "Task",
    "read_message",
    "translate",
]

HEAD = struct.Struct("<I")
"""Length of a message in bytes, before each message."""
MOST_MEMORY = 1 << 30  # bytes of private memory of the process
REUSABLE_MEMORY = 256 << 10  # KiB; a process that has grown beyond ends after its answer


class Task(msgspec.Struct, frozen=True):
    """A hunt to translate."""

    text: str
    """The query in KQL."""
    tables: tuple[str, ...]
    """Names of the hunting tables that it may read."""
    refused: Mapping[str, str]
    """Names of the hunting tables that it may not read, with the reason."""
    parameters: Mapping[str, str]
    """Values, as text, for ``declare query_parameters``."""
    now: datetime.datetime
    """Time of the hunt (aware)."""

    def answer(self, lookup: Callable[[CompiledHunt], Rows]) -> Done:
        """Translate the hunt; raises ``InvalidQuery``."""
        return Done(translate(self, lookup))


class CompiledHunt(msgspec.Struct, frozen=True):
    """A translated hunt."""

    sql: str
    """One SELECT statement in DuckDB's dialect."""
    columns: tuple[tuple[str, str], ...]
    """Name and Kusto type of each result column, in order."""
    stored: Mapping[str, tuple[str, ...]]
    """Stored columns that the hunt reads, by table."""
    reaches: Mapping[str, tuple[int | None, int | None, Any]]
    """First and last time in microseconds since 1970 (UTC) and need of terms, by table; see ``reach``."""
    grows: bool
    """Whether some computed value may be far larger than stored values, see ``kql.rewrite.growth``."""
    outline: str
    """The plan after all rewrites, as text."""

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that the hunt reads, sorted."""
        return tuple(sorted(self.reaches))

    @property
    def reach(self) -> Mapping[str, Reach]:
        """Time range and terms of the rows that the hunt needs, by table."""
        return {name: Reach(Bounds(first, last), _need(need)) for name, (first, last, need) in self.reaches.items()}


Rows = list[tuple[Any, ...]]
"""Rows of a lookup."""


class Lookup(msgspec.Struct, frozen=True, tag="lookup"):
    """A hunt whose rows decide the columns of the hunt that is being translated."""

    hunt: CompiledHunt


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A translated hunt; ``reusable`` says of each answer that the process takes another task."""

    hunt: CompiledHunt
    reusable: bool = False


class Composed(msgspec.Struct, frozen=True, tag="composed"):
    """A hunt with the saved hunts to which it refers, see ``hunts.functions.ComposedHunt``."""

    text: str
    starts: tuple[tuple[int, str], ...]
    reusable: bool = False


class Checked(msgspec.Struct, frozen=True, tag="checked"):
    """A hunt that may be saved."""

    reusable: bool = False


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The problems of a hunt that is not valid, or, with ``query`` false, of its name."""

    problems: tuple[QueryProblem, ...]
    query: bool = True
    reusable: bool = False


Answer = Done | Composed | Checked | Failed
"""The last message of a task."""
MESSAGE = msgspec.msgpack.Decoder(Lookup | Answer)
"""Decoder of what the process writes."""


def translate(task: Task, lookup: Callable[[CompiledHunt], Rows]) -> CompiledHunt:
    """Translate a task in this process; raises ``InvalidQuery``."""
    found = kql.compiled(
        task.text,
        {name: SCHEMA[name] for name in task.tables},
        now=task.now,
        parameters=task.parameters,
        refused=task.refused,
        bounded=True,
        views=VIEWS,
        discover=lambda asked: lookup(_compiled_hunt(asked)),
    )
    return _compiled_hunt(found)


def _compiled_hunt(found: kql.Translation) -> CompiledHunt:
    stored: dict[str, dict[str, None]] = {}
    for node in walk.nodes(found.plan):
        if isinstance(node, Table):
            stored.setdefault(node.name, {}).update((column.name, None) for column in node.columns)
    reaches = {name: (each.bounds.first, each.bounds.last, _words(each.need)) for name, each in found.reach.items()}
    columns = {name: tuple(each) for name, each in stored.items()}
    return CompiledHunt(found.sql, found.columns, columns, reaches, found.grows, kql.outline(found))


# A need as lists, which msgpack can carry: ["term", column, term], ["all", …], ["either", …].
def _words(need: Need) -> list[Any]:
    if isinstance(need, Term):
        return ["term", need.column, need.term]
    return ["all" if isinstance(need, All) else "either", *map(_words, need.parts)]


def _need(words: list[Any]) -> Need:
    kind, *parts = words
    if kind == "term":
        return Term(*parts)
    return (All if kind == "all" else Either)(tuple(map(_need, parts)))


def read_message(stream: BinaryIO) -> bytes:
    """Read a message; raises ``EOFError`` if the stream ends before."""
    head = stream.read(HEAD.size)
    body = stream.read(HEAD.unpack(head)[0]) if len(head) == HEAD.size else b""
    if len(head) < HEAD.size or len(body) < HEAD.unpack(head)[0]:
        raise EOFError
    return body


# In the process


def main() -> None:
    """Translate the tasks on standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while True:
        try:
            # Tasks come from the process that started this one, which trusts no message of this one with pickle.
            task = pickle.loads(read_message(sys.stdin.buffer))  # noqa: S301
        except EOFError:
            return
        answer = msgspec.structs.replace(_answer(task), reusable=_is_reusable())
        _write(answer)
        if not answer.reusable:
            return


def _answer(task: Any) -> Answer:
    try:
        answer: Answer = task.answer(_look_up)
    except InvalidInput as error:
        return Failed(tuple(map(_query_problem, error.problems)), isinstance(error, InvalidQuery))
    except MemoryError:
        return Failed((QueryProblem("not supported: a query that needs so much memory to be translated"),))
    return answer


def _query_problem(problem: Problem) -> QueryProblem:
    return problem if isinstance(problem, QueryProblem) else QueryProblem(problem.message)


def _look_up(hunt: CompiledHunt) -> Rows:
    _write(Lookup(hunt))
    rows: Rows = pickle.loads(read_message(sys.stdin.buffer))  # noqa: S301 -- as in main
    return rows


def _write(message: Lookup | Answer) -> None:
    data = msgspec.msgpack.encode(message)
    sys.stdout.buffer.write(HEAD.pack(len(data)) + data)
    sys.stdout.buffer.flush()


def _is_reusable() -> bool:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < REUSABLE_MEMORY


if __name__ == "__main__":
    main()
