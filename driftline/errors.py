"""All exceptions that driftline raises, in one tree.

::

    DriftlineError
    ├── InvalidInput            invalid input; the problems have messages and positions
    │   ├── InvalidBatch        a batch from a sensor violates its format or limits
    │   │   └── ForeignRows     a batch with rows of another node or cluster
    │   ├── InvalidPolicy       an invalid policy file
    │   │   └── TamperedPolicy  the sensor's copy of the policy was changed or removed
    │   ├── InvalidQuery        an invalid or unsupported KQL query
    │   └── InvalidReference    an image or container reference without a readable target
    ├── UnsupportedHost         the machine does not meet a requirement of the sensor
    ├── ImageError              an image could not be read
    │   ├── ImageNotFound       no such image
    │   └── CorruptImage        an image that violates its format or a limit
    ├── RuntimeUnavailable      the container runtime does not respond (temporary)
    │   └── ContainerNotFound   no such container, or it no longer exists
    ├── Refused                 the server refuses the request; one HTTP status per subclass
    │   ├── Unauthenticated     not authenticated (401)
    │   ├── Forbidden           authenticated, but not permitted (403)
    │   ├── NotFound            no such object, or none visible to the caller (404)
    │   ├── Conflict            conflict with the present state (409)
    │   └── TooMany             too many requests; try again after some seconds (429)
    ├── ServerUnreachable       no response, or no valid one, from the server (temporary)
    ├── StateError              the server's state database failed
    ├── StoreError              the event store failed
    │   ├── StoreBusy           another process has opened the store (temporary)
    │   ├── StoreOverloaded     too many rows are waiting to be written (temporary)
    │   ├── StoreFull           no space left to write (temporary)
    │   └── StoreCorrupt        the store's files violate their format
    └── Unreadable              a file's content could not be read; the verdict has the reason

Errors of other libraries are translated in the package that uses the library (``store/`` for DuckDB,
``cluster/`` for gRPC, ``sensor/`` for libbpf, ``server/state/`` for SQL), with ``raise … from``.
*Temporary* means that the same operation may succeed later, so that loops retry it.
"""

from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "Conflict",
    "ContainerNotFound",
    "CorruptImage",
    "DriftlineError",
    "Forbidden",
    "ForeignRows",
    "ImageError",
    "ImageNotFound",
    "InvalidBatch",
    "InvalidInput",
    "InvalidPolicy",
    "InvalidQuery",
    "InvalidReference",
    "NotFound",
    "Problem",
    "QueryProblem",
    "Refused",
    "RuntimeUnavailable",
    "ServerUnreachable",
    "StateError",
    "StoreBusy",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreOverloaded",
    "TamperedPolicy",
    "TooMany",
    "Unauthenticated",
    "Unreadable",
    "UnsupportedHost",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """An error at a position of a text, such as a policy file or a query.

    ``line`` and ``column`` count from 1; 0 means the text as a whole. ``source`` is the name of the
    file, ``<stdin>``, or empty for a text that was passed as an argument. As a text, a problem is
    ``source:line:column: message`` without the parts that are unknown.
    """

    message: str
    line: int = 0
    column: int = 0
    source: str = ""

    def __str__(self) -> str:
        position = ":".join(str(part) for part in (self.source, self.line, self.column) if part)
        return f"{position}: {self.message}" if position else self.message


@dataclass(frozen=True, slots=True)
class QueryProblem(Problem):
    """A problem of a query: message, line and column (from 1), and the range of the text it is about.

    The command line underlines the range, the console marks it, the API returns it.
    """

    offset: int = 0
    """Index of the first character, from 0."""
    length: int = 0
    """Number of characters."""


class DriftlineError(Exception):
    """Base class of all errors that driftline raises intentionally; the message is for users."""


class InvalidInput(DriftlineError):
    """Invalid input, with all of its problems.

    ``problems`` has every problem of the input; a text is a problem without a position. The message has one
    line per problem.
    """

    # All problems at once, so that a user corrects a file in one pass.
    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidBatch(InvalidInput):
    """A batch of rows from a sensor violates its format or limits."""


class ForeignRows(InvalidBatch):
    """A batch has rows of a node or cluster other than that of its sensor."""


class InvalidPolicy(InvalidInput):
    """A policy is not valid YAML, or violates the policy model."""


class TamperedPolicy(InvalidPolicy):
    """The sensor's copy of the policy was changed or removed on disk by another process."""


class InvalidQuery(InvalidInput):
    """A KQL query is invalid, or uses something that is not supported."""


class InvalidReference(InvalidInput):
    """An image or container reference is invalid, or its target cannot be read."""


class UnsupportedHost(DriftlineError):
    """The machine does not meet a requirement; the message names it and how to meet it."""


class ImageError(DriftlineError):
    """An image could not be read."""


class ImageNotFound(ImageError):
    """There is no image with the given name or digest."""


class CorruptImage(ImageError):
    """An image violates its format, or a limit that protects against decompression bombs."""


class RuntimeUnavailable(DriftlineError):
    """The container runtime does not respond. Temporary."""


class ContainerNotFound(RuntimeUnavailable):
    """The container runtime has no such container, or no longer has it."""


class Refused(DriftlineError):
    """The server refuses a request; the message has the reason."""

    status: ClassVar[int]
    """HTTP status of the response, set by each subclass; the server and its clients map by it."""


class Unauthenticated(Refused):
    """The request has no credentials, or invalid ones (HTTP status 401)."""

    status: ClassVar[int] = 401


class Forbidden(Refused):
    """The caller is authenticated and does not have the required permission (HTTP status 403)."""

    status: ClassVar[int] = 403


class NotFound(Refused):
    """There is no such object, or the caller may not see it (HTTP status 404)."""

    status: ClassVar[int] = 404


class Conflict(Refused):
    """The request conflicts with the present state, such as an existing name (HTTP status 409)."""

    status: ClassVar[int] = 409


class TooMany(Refused):
    """Too many requests (HTTP status 429). The request may be repeated after ``seconds``."""

    status: ClassVar[int] = 429

    def __init__(self, message: str, *, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(message)


class ServerUnreachable(DriftlineError):
    """The server did not respond, or its response is invalid. Temporary."""


class StateError(DriftlineError):
    """The server's state database (users, policies, alerts …) failed."""


class StoreError(DriftlineError):
    """The event store failed."""


class StoreBusy(StoreError):
    """Another process has opened the store. Temporary."""


class StoreOverloaded(StoreError):
    """Too many rows are waiting to be written to the store. Temporary."""


class StoreFull(StoreError):
    """There is no space left for the store. Temporary: writes succeed again after space was freed."""


class StoreCorrupt(StoreError):
    """The store's files violate their format."""


class Unreadable(DriftlineError):
    """A file's content could not be read; the message is the reason, which becomes part of the verdict."""
