"""Evaluation: from a candidate to its verdict, the decision of the policy, and its rows.

A candidate whose verdict needs no content is evaluated in the sensor's loop. Any other waits for its image's index,
and is then read and hashed by a few threads (hashing releases the interpreter's lock), so that a large file or a
slow disk never keeps the loop from its rings.
"""

from __future__ import annotations

import contextlib
import datetime
import logging
import os
import threading
from collections.abc import Callable, Sequence
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
from driftline.sensor.tracking import mounts
from driftline.sensor.tracking.containers import TrackedContainer
from driftline.sensor.tracking.processes import Process
from driftline.sensor.verdicts.content import Capture, ChangedWhileRead, ContentReader
from driftline.sensor.wakeup_queue import WakeupQueue
from driftline.verdict import ContainerRoot, Digest, Execution, FileFacts

__all__ = ["Candidate", "ContentNeeded", "Evaluator"]

_WAITING_MAX = 1024
"""Candidates that wait for their index or for a thread; further ones are unverified."""
_VERDICTS_MAX = 2048
"""Cached verdicts for each container."""
_ACTION_TYPES = {
    Subject.BINARY: "ProcessCreated",
    Subject.LIBRARY: "LibraryLoaded",
    Subject.LOADER: "LibraryLoaded",
    Subject.SCRIPT: "ScriptRead",
}
_FOUND_TYPES = {
    Subject.BINARY: "ProcessFound",
    Subject.LIBRARY: "LibraryFound",
    Subject.LOADER: "LibraryFound",
    Subject.SCRIPT: "ScriptFound",
}
# A start of the sensor, as for an update, must not end what runs.
_RAN_BEFORE = "it ran before the sensor started"
_log = logging.getLogger(__name__)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One execution to evaluate, with the facts for its verdict and its rows."""

    tracked: TrackedContainer
    """The container of the process."""
    subject: Subject
    """Kind of execution: binary, script, library or loader."""
    file: FileFacts
    """Facts of the file, from the kernel."""
    process: Process
    """The process that executed, read or mapped the file."""
    ancestors: Sequence[Process]
    """Its ancestors, parent first; the parent alone if no alert is possible."""
    when: int
    """Time of the execution: boot-time clock, nanoseconds."""
    record: ExecRecord | None = None
    """The exec record; ``None`` for a library or a script."""
    capture: Capture | None = None
    """The file, captured when the record was handled; ``None`` for unchanged image files, whose bytes are not read."""
    blocked_by: BlockedBy = BlockedBy.NOTHING
    """The means that blocked it in the kernel already."""
    is_found: bool = False
    """Whether it ran before the sensor started."""


class ContentNeeded(Exception):
    """The verdict needs the content of the file, which ``evaluate_now`` does not read."""


class Evaluator:
    """Evaluates candidates, in the caller's thread or in its own, and puts the resulting rows into a queue.

    The sensor's loop calls all methods.
    """

    def __init__(
        self,
        reader: ContentReader,
        row_builder: RowBuilder,
        blocker: Blocker,
        clock: Clock,
        results: WakeupQueue[Sequence[Message]],
        is_unwritten: Callable[[FileFacts, int], bool],
    ) -> None:
        self._is_unwritten = is_unwritten
        self._blocker = blocker
        self._clock = clock
        self._reader = reader
        self._row_builder = row_builder
        self._results = results
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="evaluator")
        self._waiting = threading.BoundedSemaphore(_WAITING_MAX)
        self._unfinished: dict[int, Candidate] = {}
        self._is_closed = False
        self.failures = 0
        """Number of candidates whose evaluation failed, so that they have no row, since the start."""
        self.overflows = 0
        """Number of candidates that were not read because too many waited, since the start."""

    def evaluate_now(self, candidate: Candidate) -> Sequence[Message]:
        """Evaluate a candidate without reading its file; return its rows. Raises ``ContentNeeded``.

        Such a candidate is an unchanged image file, so its verdict is cached for the container's next execution of
        the same file.
        """
        verdicts = candidate.tracked.verdicts
        key = (candidate.file.inode, candidate.file.path)
        found = verdicts.get(key)
        if found is None:
            index = _ready_index(candidate.tracked.index)
            found = self._verdict(candidate, index, _refuse_to_read)
            # Without an index the verdict is provisional, and a verdict of drift must alert each time.
            if index and found.content == Content.IDENTICAL and len(verdicts) < _VERDICTS_MAX:
                verdicts[key] = found
        return self._messages(candidate, found)

    def evaluate_later(self, candidate: Candidate) -> None:
        """Evaluate a candidate once its image's index is complete; its rows come through the queue.

        If too many candidates wait, its content is unverified, and the overflow is counted.
        """
        # Bounded, so that an index that takes minutes cannot fill the memory with candidates.
        if not self._waiting.acquire(blocking=False):
            self.overflows += 1
            self._results.put(self._messages(candidate, self._verdict(candidate, None, _too_many)))
            return
        self._unfinished[id(candidate)] = candidate
        candidate.tracked.index.add_done_callback(lambda index: self._submit(candidate, index))

    # When the sensor stops, the executor takes nothing more, and ``close`` reports the candidate.
    def _submit(self, candidate: Candidate, index: Future[ImageIndex]) -> None:
        with contextlib.suppress(RuntimeError):
            self._threads.submit(self._evaluate, candidate, index)

    def _evaluate(self, candidate: Candidate, index: Future[ImageIndex]) -> None:
        if self._is_closed:
            return
        try:
            found = self._verdict(candidate, _ready_index(index), lambda: self._read(candidate))
            self._results.put(self._messages(candidate, found))
        except Exception:
            self.failures += 1
            _log.exception("a candidate of container %s could not be evaluated", candidate.tracked.id)
            raise
        finally:
            self._unfinished.pop(id(candidate), None)
            self._waiting.release()

    def _read(self, candidate: Candidate) -> Digest:
        if candidate.capture is None:
            raise Unreadable("it was gone before it could be opened")
        try:
            digest = self._reader.read(candidate.capture)
        except ChangedWhileRead as error:
            if not self._is_same(candidate, error.digest):
                raise
            return error.digest
        if digest.changed and self._is_same(candidate, digest):
            return Digest(digest.sha256, digest.size)
        return digest

    # A chmod after the exec changes the ctime as well: what no process wrote to has the bytes that ran.
    def _is_same(self, candidate: Candidate, digest: Digest) -> bool:
        has_size = candidate.record is not None and digest.size == candidate.file.size
        return has_size and self._is_unwritten(candidate.file, candidate.when)

    # Before its first exec was recorded, a container's root may be unknown: then only the device counts.
    def _verdict(self, candidate: Candidate, index: ImageIndex | None, read: verdict.Read) -> Verdict:
        tracked = candidate.tracked
        execution = Execution(
            subject=candidate.subject,
            file=candidate.file,
            time=self._clock.utc(candidate.when),
            image=tracked.image_name,
        )
        root = tracked.root or ContainerRoot(device=tracked.root_device)
        root = mounts.with_node_of_now(root, candidate.file.device)
        return verdict.decide(execution, root=root, image=index, read=read, volumes=tracked.container.volumes)

    # The order of decisions:
    #  1. An unchanged image file is never blocked and never alerts: the rules do not apply to it.
    #  2. The verdict goes to the kernel's cache first, so that the next execution is decided there.
    #  3. A file without drift makes an event only, unless failClosed blocked it before its verdict.
    #  4. A process that the rules block and that the kernel side let run is killed now.
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
            why_not = _RAN_BEFORE if candidate.is_found else self._stop(candidate, found)
            blocked_by = BlockedBy.NOTHING if why_not else BlockedBy.VERDICT
        event = self._row_builder.decided(
            event, decision, container=candidate.tracked.container, blocked_by=blocked_by, why_not=why_not
        )
        if decision.action == Action.IGNORE and not blocked_by:
            return (event,)
        return (event, self._row_builder.alert(event, found, decision, candidate.ancestors))

    def _stop(self, candidate: Candidate, found: Verdict) -> str:
        return self._blocker.stop(candidate.tracked, candidate.process.key, found)

    # The perf record of a mapping does not say whether the kernel side killed the process for it; a map does.
    def _blocked_by(self, candidate: Candidate) -> BlockedBy:
        is_mapping = candidate.subject in (Subject.LIBRARY, Subject.LOADER)
        if is_mapping and self._blocker.was_killed(candidate.file.inode, candidate.process.key.pid):
            return BlockedBy.MMAP
        return candidate.blocked_by

    def _event(self, candidate: Candidate, found: Verdict) -> CloudProcessEvent:
        event = self._event_of(candidate, found)
        has_writer = candidate.file.writer or candidate.file.opener
        return self._row_builder.written(event, candidate.file) if has_writer else event

    def _event_of(self, candidate: Candidate, found: Verdict) -> CloudProcessEvent:
        parent = candidate.ancestors[0] if candidate.ancestors else None
        columns = candidate.tracked.columns
        if candidate.record:
            return self._row_builder.process_created(candidate.record, parent, columns=columns, verdict=found)
        is_denied = candidate.blocked_by == BlockedBy.LSM
        types = _FOUND_TYPES if candidate.is_found else _ACTION_TYPES
        action_type = "ProcessDenied" if is_denied else types[candidate.subject]
        return self._row_builder.file_used(
            action_type, candidate.when, candidate.process, parent, columns=columns, verdict=found
        )

    def close(self) -> None:
        """Finish the evaluations that have begun; the others end without their content being read."""
        self._is_closed = True
        self._threads.shutdown(wait=True, cancel_futures=True)
        for candidate in tuple(self._unfinished.values()):
            self._results.put(self._messages(candidate, self._verdict(candidate, None, _stopped)))
        self._unfinished.clear()


# None leaves the content unverified: there is no index yet, or it could not be built.
def _ready_index(index: Future[ImageIndex]) -> ImageIndex | None:
    if not index.done() or index.cancelled():
        return None
    try:
        return index.result()
    except DriftlineError:
        return None


def _refuse_to_read() -> Digest:
    raise ContentNeeded


def _stopped() -> Digest:
    raise Unreadable("the sensor stopped before it was read")


def _too_many() -> Digest:
    raise Unreadable(f"more than {_WAITING_MAX} files waited to be read")
