"""The pipeline from records to rows.

A record is assigned to its container and process; an execution becomes a candidate with the facts of its file. If the
container has no name yet, the candidate waits for it. A candidate that is an unchanged image file is evaluated at
once; any other is captured at once and evaluated later (``verdicts.evaluator``).

What each record leads to:

- cgroup created or removed: a container is added or removed; rules in force are applied to the new cgroup.
- exec in a container: process table, root of the container at its first exec, candidate (``Subject.BINARY``).
- exec of the runtime's own program, or on the node: process table; a row only with ``watch_hosts``.
- opened file: candidate (``Subject.SCRIPT``) if it is a script and the process has not read it before. An exec that
  the LSM program denied comes as such a record, too.
- executable mapping: candidate (``Subject.LIBRARY`` or ``LOADER``) if ``MappingFilter`` lets it pass.
- exit: row, and the process moves to the ended ones.

Everything here runs in the sensor's loop and never blocks: names, image indexes and file contents come from other
threads, through wakeup queues.
"""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from driftline import policy as policies
from driftline.errors import Unreadable
from driftline.events import BlockedBy, Container, Message, Subject
from driftline.policy import Policy
from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.bpf.mmap_events import MappingRecord
from driftline.sensor.bpf.records import (
    CgroupRecord,
    Clock,
    ExecRecord,
    ExitRecord,
    Head,
    OpenRecord,
    ProcessKey,
    Record,
    RecordFlag,
    RecordType,
)
from driftline.sensor.enforcement.blocking import Blocker
from driftline.sensor.reporting.rows import RowBuilder
from driftline.sensor.tracking import mounts, scripts
from driftline.sensor.tracking.containers import ContainerTable, TrackedContainer
from driftline.sensor.tracking.mappings import (
    MappingFilter,
    facts_of_mapped,
    facts_of_unknown,
    fs_path_of,
)
from driftline.sensor.tracking.pods import ANY_POD, PodTable, unknown_fields
from driftline.sensor.tracking.processes import Process, ProcessTable
from driftline.sensor.tracking.writers import WriterResolver
from driftline.sensor.verdicts import running
from driftline.sensor.verdicts.content import Capture, ContentReader
from driftline.sensor.verdicts.evaluator import Candidate, ContentNeeded, Evaluator
from driftline.sensor.verdicts.indexes import ImageIndexes
from driftline.verdict import ContainerRoot, FileFacts, interpreter_of, is_lower, loader_argument

__all__ = ["Pipeline"]

_SCRIPTS_KEPT = 4096
"""Scripts remembered, to report each once for a process."""
_NAME_SECONDS = 5.0
"""Seconds for which executions wait for the name of their container: the deadline of a call to the runtime."""
_WAITING_MAX = 256
"""Executions of a container that wait for its name; with more, they go on without it. Each can hold a file open."""
_BLOCKED = int(RecordFlag.BLOCKED)

Emit = Callable[[Sequence[Message]], None]
"""Takes rows, in order."""
CaptureWith = Callable[..., Capture | None]
"""``ContentReader.capture_program`` or ``capture_path``."""


class Pipeline:
    """Handler of records, in the order of the rings. Passes rows to ``emit``."""

    def __init__(
        self,
        *,
        containers: ContainerTable,
        processes: ProcessTable,
        kernel: KernelSide,
        evaluator: Evaluator,
        reader: ContentReader,
        indexes: ImageIndexes,
        row_builder: RowBuilder,
        blocker: Blocker,
        policy: Policy,
        clock: Clock,
        emit: Emit,
        trusts_overlay: bool = True,
    ) -> None:
        """Take the tables and parts that the steps use.

        ``trusts_overlay`` says that the self-test passed. Otherwise overlay facts are ignored, and every file is
        compared with the image by path and content.
        """
        self._containers = containers
        self._processes = processes
        self._kernel = kernel
        self._evaluator = evaluator
        self._reader = reader
        self._indexes = indexes
        self._row_builder = row_builder
        self._blocker = blocker
        self._policy = policy
        self._clock = clock
        self._emit = emit
        self._trusts_overlay = trusts_overlay
        self._pods = PodTable()
        self._mappings = MappingFilter(containers, processes)
        self._writers = WriterResolver(containers, kernel)
        self._scripts_seen: OrderedDict[tuple[ProcessKey, int, int, int], None] = OrderedDict()
        self._mapped: set[tuple[int, int]] | None = set()  # pid and inode, until ``find``
        self._set_rules_of_unknown_pods()
        self.execs = 0
        """Number of exec records since the start, those of the node's processes included."""
        self._handlers: dict[type[Record], Callable[..., None]] = {
            ExecRecord: self._on_exec,
            ExitRecord: self._on_exit,
            CgroupRecord: self._on_cgroup,
            OpenRecord: self._on_open,
        }

    def take(self, record: Record) -> None:
        """Handle one record of a ring."""
        if not self._trusts_overlay and isinstance(record, ExecRecord | OpenRecord):
            record = msgspec.structs.replace(record, file=_without_overlay_facts(record.file))
        self._handlers[type(record)](record)

    def take_mapping(self, record: MappingRecord, *, is_found: bool = False) -> None:
        """Handle one executable mapping. The execs that were recorded before must have been handled.

        ``is_found`` says that the mapping was made before the sensor started.
        """
        if self._mapped is not None:
            self._mapped.add((record.pid, record.inode))
        found = self._mappings.owner(record)
        if found is None:
            return
        tracked, process = found
        capture, facts = self._mapped_file(record, tracked)
        subject = Subject.LOADER if _is_loaded_program(record, process) else Subject.LIBRARY
        self._evaluate_when_named(
            Candidate(
                tracked=tracked,
                subject=subject,
                file=facts,
                process=process,
                ancestors=self._processes.ancestors(process),
                when=record.time,
                capture=capture,
                is_found=is_found,
            )
        )

    def find(self, processes: Sequence[Process], when: int) -> None:
        """Evaluate programs, libraries and scripts of processes that ran before the sensor, each once.

        Those that a record covers are left out: the records of the time of the inventory must have been handled.
        ``when`` is the time of the look: boot-time clock, nanoseconds.
        """
        for process in processes:
            tracked = self._containers.get(process.container_id)
            if tracked and self._processes.find(process.key) is process and self._is_inside(process, tracked):
                self._find(process, tracked, when)
        self._mapped = None

    def _find(self, process: Process, tracked: TrackedContainer, when: int) -> None:
        if not self._is_forked(process):
            self._find_file(running.open_program(process, when), Subject.BINARY, process, tracked)
            if interpreter_of(process.program):
                self._find_file(running.open_script(process, when), Subject.SCRIPT, process, tracked)
        for mapping in running.executable_mappings(process, when):
            if self._mapped is not None and (mapping.pid, mapping.inode) not in self._mapped:
                self.take_mapping(mapping, is_found=True)

    # A process that was forked without an exec runs what its parent runs.
    def _is_forked(self, process: Process) -> bool:
        parent = self._processes.find(process.parent) if process.parent else None
        return parent is not None and parent.layout == process.layout != (0, 0)

    def _find_file(
        self, opened: running.Opened | None, subject: Subject, process: Process, tracked: TrackedContainer
    ) -> None:
        if opened is None:
            return
        if tracked.is_named:
            self._evaluate_found(opened, subject, process, tracked)
        else:
            self._wait(tracked, lambda: self._evaluate_found(opened, subject, process, tracked))

    def _evaluate_found(
        self, opened: running.Opened, subject: Subject, process: Process, tracked: TrackedContainer
    ) -> None:
        facts = running.facts_of_opened(opened, tracked)
        is_image_file = _is_image_file(facts, tracked)
        if is_image_file and subject == Subject.SCRIPT:
            return
        self._evaluate(
            Candidate(
                tracked=tracked,
                subject=subject,
                file=facts,
                process=process,
                ancestors=self._processes.ancestors(process),
                when=opened.record.time,
                capture=None if is_image_file else opened.capture,
                is_found=True,
            )
        )

    # As for an exec, the runtime's own program in the container's cgroup is not the container's.
    def _is_inside(self, process: Process, tracked: TrackedContainer) -> bool:
        parent = self._processes.find(process.parent) if process.parent else None
        is_outside = parent is None or parent.container_id != tracked.id
        return not (is_outside and running.mount_namespace(process) in (0, self._kernel.host_mnt_ns))

    def name(self, container: Container) -> None:
        """Set names and labels of a container, as the runtime gives them, and continue the work that waited for them.

        A container that went on without a name can get it later.
        """
        for tracked in self._containers.found(container.id):
            tracked.is_known = True
            self._pods.add(container)
            self._continue(tracked, container)

    def name_by_path(self, container_id: str) -> None:
        """Continue the work of a container whose name the runtime does not give, with what its cgroup's path says."""
        for tracked in self._containers.found(container_id):
            if not tracked.is_named:
                self._continue(tracked, self._pods.complete(tracked.container))

    def end_all_waits(self) -> None:
        """Continue the work of all containers that wait for their names: the sensor stops."""
        for tracked in self._containers.waiting():
            self.name_by_path(tracked.id)

    def end_waits(self, now: float) -> None:
        """Continue the work of containers whose names have not come within ``_NAME_SECONDS`` (``time.monotonic``)."""
        for tracked in self._containers.waiting():
            if tracked.since + _NAME_SECONDS < now:
                self.name_by_path(tracked.id)

    def _continue(self, tracked: TrackedContainer, container: Container) -> None:
        tracked.container = container
        tracked.columns = self._row_builder.columns(container)
        tracked.index = self._indexes.of(container)
        self._set_rules(tracked)
        tracked.verdicts.clear()
        tracked.is_named = True
        waiting, tracked.waiting = tracked.waiting, []
        for resume in waiting:
            resume()

    def set_policy(self, policy: Policy) -> None:
        """Apply a new policy to all containers."""
        self._policy = policy
        self._set_rules_of_unknown_pods()
        for tracked in self._containers:
            self._set_rules(tracked)

    # Without names as well, since a rule that fails closed holds where it may apply.
    def _set_rules(self, tracked: TrackedContainer) -> None:
        unknown = () if tracked.is_known else unknown_fields(tracked.container)
        tracked.policy = policies.rules_for(
            self._policy, tracked.container, self._row_builder.location, unknown=unknown
        )
        if not tracked.has_ended:
            self._blocker.apply(tracked)

    def _set_rules_of_unknown_pods(self) -> None:
        location = self._row_builder.location
        self._blocker.apply_to_unknown_pods(
            policies.rules_for(self._policy, Container(id=""), location, unknown=ANY_POD)
        )

    def unnamed(self) -> int:
        """Return the number of containers that have no names because the runtime did not give them."""
        return sum(tracked.is_named and not tracked.is_known for tracked in self._containers)

    # A cgroup created later in a container with rules in force needs them as well.
    def _on_cgroup(self, record: CgroupRecord) -> None:
        if record.head.type == RecordType.CGROUP_MKDIR:
            tracked = self._containers.add(record.head.cgroup, record.path)
            if tracked and tracked.is_named and tracked.blocking.subjects:
                self._blocker.apply(tracked)
            elif tracked and not tracked.is_named:
                tracked.container = self._pods.complete(tracked.container)
                self._set_rules(tracked)
            return
        tracked = self._containers.by_cgroup(record.head.cgroup)
        gone = self._containers.removed(record.head.cgroup)
        if tracked:
            self._blocker.forget_cgroup(tracked, record.head.cgroup)
        if gone:
            self._blocker.forget(gone)

    def _on_exec(self, record: ExecRecord) -> None:
        self.execs += 1
        parent = self._processes.parent(record)
        tracked = self._containers.of(record.head, record.cgroup_path)
        if tracked is None or not tracked.is_known:
            before = self._processes.find(ProcessKey.at(record.head.tgid, record.head.start))
            tracked = self._left(record.head, before, parent) or tracked
        if tracked and self._is_runtime(record.head, parent, tracked):
            tracked = None
        process = self._processes.executed(record, tracked.id if tracked else "")
        if tracked is None:
            self._on_host_exec(record, parent)
            return
        self._learn_root(tracked, record.head)
        capture = self._capture(tracked, record.head, record.file, self._reader.capture_program)
        # An unchanged image file raises no alert, so its row needs the parent alone.
        above = self._processes.ancestors(process) if capture else (parent,) if parent else ()
        self._evaluate_when_named(
            Candidate(
                tracked=tracked,
                subject=Subject.BINARY,
                file=record.file,
                process=process,
                ancestors=above,
                when=record.head.time,
                record=record,
                capture=capture,
                blocked_by=BlockedBy.EXEC if record.head.flags & _BLOCKED else BlockedBy.NOTHING,
            )
        )

    def _on_host_exec(self, record: ExecRecord, parent: Process | None) -> None:
        if self._kernel.watch_hosts:
            columns = self._row_builder.columns(Container(id="", name="host"))
            self._emit((self._row_builder.process_created(record, parent, columns=columns, verdict=None),))

    # A process that moved itself to a cgroup of no container, or of one that no runtime knows, is still in the
    # container in which it, or its parent, was executed.
    def _left(self, head: Head, *processes: Process | None) -> TrackedContainer | None:
        if head.mnt_ns == self._kernel.host_mnt_ns:
            return None
        for process in processes:
            tracked = self._containers.get(process.container_id) if process else None
            if tracked and tracked.is_known:
                return tracked
        return None

    # runc and crun execute their own program in the container's cgroup, before they enter its mount namespace. Such a
    # process is not the container's: its parent is outside of the container.
    def _is_runtime(self, head: Head, parent: Process | None, tracked: TrackedContainer) -> bool:
        is_outside = parent is None or parent.container_id != tracked.id
        return head.mnt_ns == self._kernel.host_mnt_ns and is_outside

    # Only an exec in a cgroup that the runtime created shows the container's root: a process in a cgroup created inside
    # the container may have changed its root before.
    def _learn_root(self, tracked: TrackedContainer, head: Head) -> None:
        if tracked.root_device or head.cgroup not in tracked.cgroups:
            return
        tracked.pid = head.tgid
        tracked.first = ProcessKey.at(head.tgid, head.start)
        tracked.root_device = head.root_device
        try:
            root = mounts.container_root(head.tgid)
        except Unreadable:  # the process has ended; the device is enough
            return
        if root.device == head.root_device:
            tracked.root = root

    def lost_by_container(self) -> dict[str, int]:
        """Return the number of exec records lost since the last call, by container id."""
        lost: Counter[str] = Counter()
        for cgroup, (count, path) in self._kernel.take_losses_by_cgroup().items():
            tracked = self._containers.by_cgroup(cgroup)
            # A container that is gone, or whose cgroup's own record was lost: the path has its id.
            found = None if tracked else self._containers.parse(path)
            if tracked or found:
                lost[tracked.id if tracked else found.id if found else ""] += count
        return lost

    def _on_exit(self, record: ExitRecord) -> None:
        process = self._processes.ended(record.head)
        tracked = self._containers.get(process.container_id) if process else None
        if process is None or tracked is None:
            return
        if tracked.is_named:
            self._report_end(record, process, tracked)
        else:
            self._wait(tracked, lambda: self._report_end(record, process, tracked))

    def _report_end(self, record: ExitRecord, process: Process, tracked: TrackedContainer) -> None:
        self._emit((self._row_builder.process_ended(record, process, columns=tracked.columns),))

    # A record is of a script that is read, or of a file whose exec was denied. A script counts once for each process.
    def _on_open(self, record: OpenRecord) -> None:
        tracked = self._containers.of(record.head)
        key = ProcessKey.at(record.head.tgid, record.head.start)
        process = self._process_of(record)
        if tracked is None or not tracked.is_known:
            tracked = self._left(record.head, process) or tracked
        if tracked is None or process is None:
            return
        blocked_by = _blocked_by(record)
        if not blocked_by and not (
            scripts.is_script(record, process, _layers(tracked)) and self._is_first_read(key, record.file)
        ):
            return
        is_program = blocked_by == BlockedBy.LSM and not record.head.flags & RecordFlag.SHEBANG
        self._evaluate_when_named(
            Candidate(
                tracked=tracked,
                subject=Subject.BINARY if is_program else Subject.SCRIPT,
                file=record.file,
                process=process,
                ancestors=self._processes.ancestors(process),
                when=record.head.time,
                capture=self._capture(tracked, record.head, record.file, self._reader.capture_path),
                blocked_by=blocked_by,
            )
        )

    # Of a process without an exec, only the kernel side knows the session.
    def _process_of(self, record: OpenRecord) -> Process | None:
        head = record.head
        process = self._processes.of_open(record)
        if process is None or self._processes.find(process.key):
            return process
        return msgspec.structs.replace(process, session=self._kernel.session(head.tgid, head.start))

    # Interpreters open a script more than once: to detect its encoding, to run it, to quote it in a traceback.
    def _is_first_read(self, key: ProcessKey, file: FileFacts) -> bool:
        seen = (key, file.device, file.inode, file.ctime_ns)  # a changed script counts again
        if seen in self._scripts_seen:
            return False
        self._scripts_seen[seen] = None
        if len(self._scripts_seen) > _SCRIPTS_KEPT:
            self._scripts_seen.popitem(last=False)
        return True

    # A verdict needs the container's volumes and image, and its rules: without its name, the candidate waits.
    def _evaluate_when_named(self, candidate: Candidate) -> None:
        if candidate.tracked.is_named:
            self._evaluate(candidate)
        else:
            self._wait(candidate.tracked, lambda: self._evaluate(candidate))

    def _wait(self, tracked: TrackedContainer, resume: Callable[[], None]) -> None:
        tracked.waiting.append(resume)
        if len(tracked.waiting) > _WAITING_MAX:
            self.name_by_path(tracked.id)

    def _evaluate(self, candidate: Candidate) -> None:
        file = self._writers.resolve(candidate.file, candidate.tracked)
        if file is not candidate.file:
            candidate = msgspec.structs.replace(candidate, file=file)
        if candidate.capture is not None:
            self._evaluator.evaluate_later(candidate)
            return
        try:
            self._emit(self._evaluator.evaluate_now(candidate))
        except ContentNeeded:
            self._evaluator.evaluate_later(candidate)

    # Captured at once, since the file may be deleted before its container is named and its image indexed. None for an
    # unchanged file of the root overlay, whose content is not read.
    def _capture(self, tracked: TrackedContainer, head: Head, file: FileFacts, capture: CaptureWith) -> Capture | None:
        if _is_image_file(file, tracked):
            return None
        return capture((head.tgid, tracked.pid), file, upperdir=tracked.container.upperdir)

    # The perf record has only path, device and inode. The kernel side remembers the other facts; if it does not
    # (mprotect, provenance off), an opened file shows them. " (deleted)" is the kernel's word, unless that is the name.
    def _mapped_file(self, record: MappingRecord, tracked: TrackedContainer) -> tuple[Capture | None, FileFacts]:
        capture = self._reader.open_mapped((record.pid, tracked.pid), record.path, record.inode)
        if capture is None:
            record = msgspec.structs.replace(record, path=record.path.removesuffix(b" (deleted)"))
            capture = self._reader.open_mapping(record.pid, record.start, record.end, record.inode)
        fs_path = fs_path_of(record, tracked)
        facts = self._kernel.mapped(record.inode, record.pid, fs_path=fs_path, path=record.path, clock=self._clock)
        if facts is None:
            facts = facts_of_mapped(record, os.fstat(capture.fd), tracked) if capture else facts_of_unknown(record)
        if capture:
            capture.expect(facts)
        return capture, facts


def _layers(tracked: TrackedContainer) -> scripts.Layers:
    container = tracked.container
    return scripts.Layers(tracked.root_device, container.upperdir, container.lowerdirs)


# An unchanged one of the root overlay. A root without layers (the native snapshotter) is writable as a whole.
def _is_image_file(file: FileFacts, tracked: TrackedContainer) -> bool:
    return is_lower(file, tracked.root or ContainerRoot(device=tracked.root_device))


# An open record of a denied exec comes from the LSM program; any other blocked one was killed at open.
def _blocked_by(record: OpenRecord) -> BlockedBy:
    if record.head.flags & RecordFlag.DENIED:
        return BlockedBy.LSM
    return BlockedBy.OPEN if record.head.flags & _BLOCKED else BlockedBy.NOTHING


# As if each file had been copied up: the verdict then compares its content with the image.
def _without_overlay_facts(file: FileFacts) -> FileFacts:
    return msgspec.structs.replace(file, upper=True, lowers=1)


# ld.so maps the program that it was given, as well as libraries.
def _is_loaded_program(record: MappingRecord, process: Process) -> bool:
    argument = loader_argument(process.argv, process.program)
    return argument is not None and os.path.basename(argument) == os.path.basename(record.path)
