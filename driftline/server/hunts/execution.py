"""Execution of one hunt for a caller: its slot, its rows, its end, and the entry in the audit trail.

A hunt begins in a thread, which waits until the store has computed the whole answer. The answer is then encoded and
sent a batch at a time, so that its encoded form never lies in memory as a whole. However a hunt ends (refused,
cancelled, failed or answered), its end is reported once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import anyio.to_thread
import pyarrow as pa
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from driftline.errors import DriftlineError, InvalidQuery, StoreError, TooMany
from driftline.hunts.functions import SavedHunt
from driftline.server.http import problems
from driftline.server.http.metrics import Metrics
from driftline.server.http.parts import part
from driftline.server.hunts.formats import FORMATS, Answer
from driftline.server.storage import Storage
from driftline.store.process.reader import RowStream
from driftline.store.query.hunt_store import Hunt
from driftline.store.query.limits import Stop
from driftline.store.query.results import TRUNCATED

__all__ = ["AppHunts", "HuntResponse", "Hunts", "OnEnd", "Prepared", "RunningHunt"]

OnEnd = Callable[[Mapping[str, Any]], None]
"""Called once with the end of a hunt, for the audit trail: ``outcome``, ``rows``, ``seconds``, ``error``."""
_SLOT_SECONDS = 2.0
_END = b""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A hunt for the store, and a function that gives errors their positions in the caller's own texts."""

    hunt: Hunt
    placed: Callable[[InvalidQuery], InvalidQuery]


class Hunts:
    """The store that hunts run over, and the slots for hunts that run at the same time."""

    def __init__(self, storage: Storage, metrics: Metrics, *, at_once: int) -> None:
        self.storage = storage
        self.metrics = metrics
        self._slots = threading.BoundedSemaphore(at_once)

    # Each hunt may take the memory it is allowed, so only a few run at the same time. The others wait a little and
    # are then refused, so that waiting requests do not take up the server's threads.
    @contextlib.contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot during the block; raises ``TooMany`` if none is free within 2 seconds."""
        if not self._slots.acquire(timeout=_SLOT_SECONDS):
            raise TooMany("other hunts are running; try again", seconds=_SLOT_SECONDS)
        try:
            yield
        finally:
            self._slots.release()

    def check(self, new: SavedHunt, others: Mapping[str, SavedHunt], *, seconds: float) -> None:
        """Validate a hunt before it is saved, in a slot and within ``seconds``.

        Raises ``InvalidInput``, ``InvalidQuery``, ``TooMany``, and ``StoreError`` if the time is over.
        """
        with self.slot():
            self.storage.check_saved(new, others, seconds=seconds)


AppHunts = Annotated[Hunts, part(Hunts)]


class RunningHunt:
    """A hunt in progress: call ``begin``, read ``answer``, call ``end``; ``cancel`` at any time from any thread."""

    def __init__(self, hunts: Hunts, on_end: OnEnd) -> None:
        self._hunts = hunts
        self._on_end = on_end
        self._stop = Stop()
        self._stack = contextlib.ExitStack()
        self._ended = threading.Lock()
        self._begun = time.perf_counter()
        self._rows = 0
        self._cancelled = False
        self.answer: Answer

    def begin(self, prepare: Callable[[Stop], Prepared]) -> None:
        """Wait for a slot and for the answer; ``prepare`` is called within the slot, and its errors end the hunt, too.

        Raises ``InvalidQuery``, ``InvalidInput``, ``NotFound``, ``TooMany`` and ``StoreError``, after reporting the
        end of the hunt.
        """
        try:
            found = self._found(prepare)
        except DriftlineError as error:
            self.end("cancelled" if self._cancelled else problems.kind_of(error), str(error))
            raise
        except BaseException as error:  # a bug must not keep the slot
            self.end("internal", str(error))
            raise
        # Metadata of the schema is the store's; clients see it as a header or a field.
        truncated = TRUNCATED in (found.schema.metadata or {})
        seconds = time.perf_counter() - self._begun
        schema = found.schema.remove_metadata()
        self.answer = Answer(schema, self._counted(found.batches), truncated, seconds)

    def _found(self, prepare: Callable[[Stop], Prepared]) -> RowStream:
        self._stack.enter_context(self._hunts.slot())
        prepared = prepare(self._stop)
        try:
            return self._stack.enter_context(self._hunts.storage.hunt(prepared.hunt, stop=self._stop))
        except InvalidQuery as error:
            raise prepared.placed(error) from error

    def _counted(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self._rows += batch.num_rows
            yield batch.replace_schema_metadata(None)

    def cancel(self, reason: str) -> None:
        """Stop the hunt; ``reason`` is the text of the ``StoreError`` that ``begin`` raises."""
        self._cancelled = True
        self._stop.stop(reason)

    def end(self, outcome: str, error: str = "") -> None:
        """Release the slot and the store, and report the end; only the first call has an effect."""
        if not self._ended.acquire(blocking=False):
            return
        self._stack.close()
        self._hunts.metrics.hunts.labels(outcome).inc()
        seconds = round(time.perf_counter() - self._begun, 6)
        self._on_end({"outcome": outcome, "rows": self._rows, "seconds": seconds} | ({"error": error} if error else {}))


class HuntResponse(StreamingResponse):
    """The response with the answer of a hunt that has begun, in one of the formats.

    A response that cannot be completed ends without the last chunk of its body (RFC 9112, section 7.1), so that the
    client can tell it from a complete one.
    """

    def __init__(self, running: RunningHunt, *, media_type: str, seconds: float) -> None:
        """``seconds`` is the time within which the client must fetch the answer, after which its slot is released."""
        self._running = running
        self._seconds = seconds
        self._pieces = FORMATS[media_type](running.answer)
        headers = {"X-Truncated": str(running.answer.truncated).lower()}
        super().__init__(iter(()), media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Also when the request's task was cancelled: the slot must be released and the end recorded.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._running.end, "cancelled", "the client disconnected")

    async def stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            with anyio.fail_after(self._seconds):
                while piece := await anyio.to_thread.run_sync(self._next):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        except (StoreError, TimeoutError) as error:
            told = str(error) or f"the answer was not fetched within {self._seconds:g} s"
            await anyio.to_thread.run_sync(self._running.end, "interrupted", told)
            return
        await anyio.to_thread.run_sync(self._running.end, "ok")
        await send({"type": "http.response.body", "body": _END, "more_body": False})

    def _next(self) -> bytes:
        return next((piece for piece in self._pieces if piece), _END)
