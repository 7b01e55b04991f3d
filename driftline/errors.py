"""The one tree of exceptions.

::

    DriftlineError
    ├── InvalidInput            what the caller gave is wrong; says what was expected, and where
    │   ├── InvalidBatch        a batch from a sensor breaks its format or its bounds
    │   │   └── ForeignRows     it holds rows of another node or cluster
    │   ├── InvalidPolicy
    │   │   └── TamperedPolicy  the kept policy is not as the server gave it
    │   ├── InvalidQuery
    │   └── InvalidReference    an image or container name that names nothing readable
    ├── UnsupportedHost         this machine lacks something the sensor needs
    ├── ImageError              an image could not be read
    │   ├── ImageNotFound
    │   └── CorruptImage
    ├── RuntimeUnavailable      the container runtime does not answer (temporary)
    │   └── ContainerNotFound
    ├── Refused                 the server will not do it; each kind is one HTTP status
    │   ├── Unauthenticated     who asks is unknown
    │   ├── Forbidden           who asks may not
    │   ├── NotFound            there is none, or none that the caller may see
    │   ├── Conflict            what is there speaks against it
    │   └── TooMany             later, perhaps; says when
    ├── ServerUnreachable       no answer from the server, or none that it would give (temporary)
    ├── StateError              the server's own database failed
    ├── StoreError
    │   ├── StoreBusy           another process owns the store (temporary)
    │   ├── StoreOverloaded     too much waits to be written (temporary)
    │   ├── StoreFull           no space to write (temporary)
    │   └── StoreCorrupt
    └── Unreadable              a file's content could not be had; the reason goes into the verdict

Foreign errors are translated where the foreign thing is used (``store/`` for DuckDB,
``cluster/`` for gRPC, ``sensor/`` for libbpf, ``server/state/`` for SQL) with ``raise … from``.
"""

from dataclasses import dataclass

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
    """Say what is wrong at one place of a text the user wrote.

    ``line`` and ``column`` count from 1; 0 means the text as a whole.
    ``source`` is the file's name, or ``<stdin>``, or "" for text given directly.
    """

    message: str
    line: int = 0
    column: int = 0
    source: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.source, self.line, self.column) if part)
        return f"{place}: {self.message}" if place else self.message


class DriftlineError(Exception):
    """Be the base of every error driftline raises on purpose."""


class InvalidInput(DriftlineError):
    """Report everything that is wrong with one input at once."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(Problem(p) if isinstance(p, str) else p for p in problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidBatch(InvalidInput):
    """A batch of rows from a sensor breaks its format or its bounds."""


class ForeignRows(InvalidBatch):
    """A batch holds rows of another node or cluster than its sensor's."""


class InvalidPolicy(InvalidInput):
    """A policy file breaks the policy's rules."""


class TamperedPolicy(InvalidPolicy):
    """The policy a sensor keeps is not as its server gave it."""


class InvalidQuery(InvalidInput):
    """A KQL query cannot be understood or is not supported."""


class InvalidReference(InvalidInput):
    """An image or container reference names nothing that can be read."""


class UnsupportedHost(DriftlineError):
    """The machine lacks something that is needed; the message says what and how to get it."""


class ImageError(DriftlineError):
    """An image could not be read."""


class ImageNotFound(ImageError):
    """No image of that name or digest is there."""


class CorruptImage(ImageError):
    """An image's bytes break its format, or a limit that guards against bombs."""


class RuntimeUnavailable(DriftlineError):
    """The container runtime does not answer; trying again may help."""


class ContainerNotFound(RuntimeUnavailable):
    """The container runtime knows no such container (any more)."""


class Refused(DriftlineError):
    """The server will not do what was asked; the message says why."""


class Unauthenticated(Refused):
    """Who asks is unknown: no credentials, or none that hold."""


class Forbidden(Refused):
    """Who asks is known, and may not."""


class NotFound(Refused):
    """There is nothing of that name, or nothing that the caller may see."""


class Conflict(Refused):
    """What is there already speaks against it."""


class TooMany(Refused):
    """Too many requests; ``seconds`` from now it may be tried again."""

    def __init__(self, message: str, *, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(message)


class ServerUnreachable(DriftlineError):
    """The server gave no answer that can be read; trying again may help."""


class StateError(DriftlineError):
    """The server's own database failed."""


class StoreError(DriftlineError):
    """The event store failed."""


class StoreBusy(StoreError):
    """Another process owns the store; trying again may help."""


class StoreOverloaded(StoreError):
    """Too much waits to be written; trying again after a while helps."""


class StoreFull(StoreError):
    """There is no space left to write to; trying again after freeing some helps."""


class StoreCorrupt(StoreError):
    """The store's files break its format."""


class Unreadable(DriftlineError):
    """A file's content could not be had; ``str(error)`` is the reason in words."""
