"""From a candidate to its verdict, the policy's decision and the rows they make.

What needs no bytes is judged in the sensor's loop. The rest waits for its image's index and is
read and hashed by a few threads (hashing releases the interpreter's lock), so that a large file
or a slow disk never keeps the loop from its rings.
"""

from __future__ import annotations

import datetime
import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from driftline import verdict
from driftline.errors import DriftlineError, Unreadable
from driftline.events import (
    Action,
    BlockedBy,
    CloudProcessEvent,
    Content,
    Drift,
    Message,
    Origin,
    Subject,
    Verdict,
    text,
)
from driftline.image import ImageIndex
from driftline.sensor.bpf.records import Clock, ExecRecord
from driftline.sensor.enforcement.blocking import Blocker
from driftline.sensor.reporting.rows import RowBuilder
from driftline.sensor.tracking.containers import TrackedContainer
from driftline.sensor.tracking.processes import Process
from driftline.sensor.verdicts.content import Capture, ContentReader
from driftline.sensor.wakeup_queue import WakeupQueue
from driftline.verdict import ContainerRoot, Digest, Execution, FileFacts

__all__ = ["Candidate", "ContentNeeded", "Evaluator"]

_WAITING_MAX = 1024
_VERDICTS_MAX = 2048
_ACTION_TYPES = {
    Subject.BINARY: "ProcessCreated",
    Subject.LIBRARY: "LibraryLoaded",
    Subject.LOADER: "LibraryLoaded",
    Subject.SCRIPT: "ScriptRead",
}
_log = logging.getLogger(__name__)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One execution to evaluate, with the facts for its verdict and its rows."""

    tracked: TrackedContainer
    subject: Subject
    file: FileFacts
    process: Process
    ancestors: Sequence[Process]
    when: int
    """Boot-time clock, nanoseconds."""
    record: ExecRecord | None = None
    """The exec; ``None`` for a library or a script."""
    capture: Capture | None = None
    """The file, opened when the record came; ``None`` if its bytes are not expected to matter."""
    blocked_by: BlockedBy = BlockedBy.NOTHING
    """What has stopped it already, in the kernel."""


class ContentNeeded(Exception):
    """The verdict cannot be had without reading the file."""


class Evaluator:
    """Evaluates candidates, at once or in its threads, and puts the resulting rows into a queue."""

    def __init__(
        self,
        reader: ContentReader,
        row_builder: RowBuilder,
        blocker: Blocker,
        clock: Clock,
        results: WakeupQueue[Sequence[Message]],
    ) -> None:
        self._blocker = blocker
        self._clock = clock
        self._reader = reader
        self._row_builder = row_builder
        self._results = results
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="evaluator")
        self._waiting = threading.BoundedSemaphore(_WAITING_MAX)
        self.overflows = 0

    def evaluate_now(self, candidate: Candidate) -> Sequence[Message]:
        """Evaluate a candidate without reading anything; raises ``ContentNeeded``.

        Such a candidate is of an untouched image file, so its verdict serves for the next as well.
        """
        verdicts = candidate.tracked.verdicts
        key = (candidate.file.inode, candidate.file.path)
        found = verdicts.get(key)
        if found is None:
            index = _ready_index(candidate.tracked.index)
            found = self._verdict(candidate, index, _refuse_to_read)
            if index and found.content == Content.IDENTICAL and len(verdicts) < _VERDICTS_MAX:
                verdicts[key] = found
        return self._messages(candidate, found)

    def evaluate_later(self, candidate: Candidate) -> None:
        """Evaluate a candidate when its image's index is there; the result comes through the queue."""
        if not self._waiting.acquire(blocking=False):
            self.overflows += 1
            self._results.put(self._messages(candidate, self._verdict(candidate, None, _too_many)))
            return
        candidate.tracked.index.add_done_callback(lambda index: self._submit(candidate, index))

    def _submit(self, candidate: Candidate, index: Future[ImageIndex]) -> None:
        try:
            self._threads.submit(self._evaluate, candidate, index)
        except RuntimeError:  # the sensor stops; the executor takes nothing more
            self._waiting.release()

    def _evaluate(self, candidate: Candidate, index: Future[ImageIndex]) -> None:
        try:
            found = self._verdict(candidate, _ready_index(index), lambda: self._read(candidate))
            self._results.put(self._messages(candidate, found))
        except Exception:
            _log.exception("a candidate of container %s could not be evaluated", candidate.tracked.id)
            raise
        finally:
            self._waiting.release()

    def _read(self, candidate: Candidate) -> Digest:
        if candidate.capture is None:
            raise Unreadable("it was gone before it could be opened")
        return self._reader.read(candidate.capture)

    def _verdict(self, candidate: Candidate, index: ImageIndex | None, read: verdict.Read) -> Verdict:
        tracked = candidate.tracked
        execution = Execution(
            subject=candidate.subject,
            file=candidate.file,
            time=self._clock.utc(candidate.when),
            image=tracked.image_name,
        )
        root = tracked.root or ContainerRoot(device=tracked.root_device)
        return verdict.decide(execution, root=root, image=index, read=read, volumes=tracked.container.volumes)

    def _messages(self, candidate: Candidate, found: Verdict) -> Sequence[Message]:
        event = self._event(candidate, found)
        if found.drift == Drift.NO and found.origin == Origin.IMAGE:
            return (event,)
        name = text(os.path.basename(found.path))
        self._blocker.learn(candidate.tracked, candidate.file, found, process_name=name)
        blocked_by, why_not = self._blocked_by(candidate), ""
        if found.drift == Drift.NO and not blocked_by:
            return (event,)
        decision = candidate.tracked.policy.decide(found, process_name=name, now=datetime.datetime.now(datetime.UTC))
        if decision.action == Action.BLOCK and not blocked_by:
            why_not = self._blocker.stop(candidate.tracked, candidate.process.key, found)
            blocked_by = BlockedBy.NOTHING if why_not else BlockedBy.VERDICT
        event = self._row_builder.decided(event, decision, blocked_by=blocked_by, why_not=why_not)
        if decision.action == Action.IGNORE and not blocked_by:
            return (event,)
        return (event, self._row_builder.alert(event, found, decision, candidate.ancestors))

    # A mapping is reported by perf, which knows nothing of blocking.
    def _blocked_by(self, candidate: Candidate) -> BlockedBy:
        is_mapping = candidate.subject in (Subject.LIBRARY, Subject.LOADER)
        if is_mapping and self._blocker.was_killed(candidate.file.inode, candidate.process.key.pid):
            return BlockedBy.MMAP
        return candidate.blocked_by

    def _event(self, candidate: Candidate, found: Verdict) -> CloudProcessEvent:
        parent = candidate.ancestors[0] if candidate.ancestors else None
        columns = candidate.tracked.columns
        if candidate.record:
            return self._row_builder.process_created(candidate.record, parent, columns=columns, verdict=found)
        is_denied = candidate.blocked_by == BlockedBy.LSM
        action_type = "ProcessDenied" if is_denied else _ACTION_TYPES[candidate.subject]
        return self._row_builder.file_used(
            action_type, candidate.when, candidate.process, parent, columns=columns, verdict=found
        )

    def close(self) -> None:
        """Finish what was begun."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _ready_index(index: Future[ImageIndex]) -> ImageIndex | None:
    if not index.done() or index.cancelled():
        return None
    try:
        return index.result()
    except DriftlineError:
        return None


def _refuse_to_read() -> Digest:
    raise ContentNeeded


def _too_many() -> Digest:
    raise Unreadable(f"more than {_WAITING_MAX} files waited to be read")
