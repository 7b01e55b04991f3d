"""The sensor's loop: one thread that handles the kernel's records as fast as they come.

Work that can block (container runtime, image indexes, file contents) is done in other threads. Their results come
back through wakeup queues, which the loop waits on like on the rings::

    rings ─▶ records ─▶ container? process? ─▶ candidate ─▶ verdict ─▶ policy ─▶ rows ─▶ sinks
                              ▲ resolver               ▲ evaluator (index, content)

The sources are drained in the opposite order of their handling: mappings first, then opened files, execs last. The
exec record of a process is written before the records of what it opens and maps. If the exec ring is drained last,
it contains the exec of every process that appears in the other two; as it is handled first, the process is known
when its files are handled. Exits are handled after everything else, for the same reason.

Between turns, twice a second, the loop checks the policy file, the guards, the loss counters and containers that wait
for their names. Losses of every part are counted by reason and reported as rows (``_loss_counters``); an exception in
the handling of one record is such a loss as well.
"""

from __future__ import annotations

import ctypes
import datetime
import gc
import logging
import selectors
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import msgspec

import driftline
from driftline import cluster
from driftline.errors import InvalidPolicy, TamperedPolicy, UnsupportedHost
from driftline.events import Message, SensorHealth
from driftline.policy import NodeLocation
from driftline.sensor import requirements
from driftline.sensor.bpf import records, selftest
from driftline.sensor.bpf.kernel import KernelSide
from driftline.sensor.bpf.mmap_events import MappingStream
from driftline.sensor.enforcement import switch
from driftline.sensor.enforcement.blocking import Blocker
from driftline.sensor.pipeline import Pipeline
from driftline.sensor.policy.watched_file import PolicyFile
from driftline.sensor.reporting import run_markers
from driftline.sensor.reporting.health import HealthLedger
from driftline.sensor.reporting.rows import RowBuilder
from driftline.sensor.reporting.sinks import Sink
from driftline.sensor.reporting.tampering import TamperingMonitor
from driftline.sensor.tracking import inventory
from driftline.sensor.tracking.containers import ContainerTable
from driftline.sensor.tracking.processes import ProcessTable
from driftline.sensor.tracking.resolver import Lookup, Resolver
from driftline.sensor.verdicts.content import ContentReader
from driftline.sensor.verdicts.evaluator import Evaluator
from driftline.sensor.verdicts.indexes import ImageIndexes
from driftline.sensor.wakeup_queue import WakeupQueue

__all__ = ["Options", "Sensor"]

_TURN_SECONDS = 0.01
"""Minimum time between the starts of two turns, so that the loop makes at most 100 turns a second. The first record
after a pause is handled at once."""
_POLL_SECONDS = 0.1
"""Maximum time without a turn: mappings wake the loop only when many have gathered."""
_HOUSEKEEPING_SECONDS = 0.5
"""Interval at which policy, guards and loss counters are checked."""
_HEARTBEAT_SECONDS = 15.0
_M_ARENA_MAX = -8  # parameter of mallopt(3), malloc.h
_ENDS = (records.RecordType.EXIT, records.RecordType.CGROUP_RMDIR)
_log = logging.getLogger(__name__)
T = TypeVar("T")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the sensor."""

    location: NodeLocation
    """Cluster and cloud account of the node, for the rows and the scopes of rules."""
    policy: PolicyFile
    """The policy, reloaded when it changes."""
    image_directory: Path
    """Directory of the cached image indexes."""
    runtime_address: str = ""
    """Socket of the container runtime; empty searches the usual paths."""
    watch_hosts: bool = False
    """Report processes of the node as well as those of containers."""
    provenance: bool = True
    """Record the writers of files, and the scripts that interpreters read."""
    libraries: bool = True
    """Record executable file mappings."""
    state: Path | None = None
    """State directory for the markers of runs; ``None`` keeps none."""
    heartbeats: bool = False
    """Report every 15 seconds that the sensor runs, with its coverage."""


class HasFileno(Protocol):
    """Object that a selector can wait on."""

    def fileno(self) -> int:
        """Return the descriptor."""


# glibc gives a thread that allocates while another one does an arena of its own, which keeps freed memory: megabytes
# for threads that mostly wait (mallopt(3), M_ARENA_MAX).
def _keep_one_arena() -> None:
    ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


class Sensor:
    """The sensor of one node. Use as a context manager around ``run``."""

    def __init__(self, options: Options, sinks: Sequence[Sink]) -> None:
        """Load the BPF programs and test them; raises ``UnsupportedHost`` if the machine or kernel is not supported."""
        requirements.check_host()
        _keep_one_arena()
        self._sinks = sinks
        self._options = options
        self._started = time.time()
        self._messages: list[Message] = []
        self._counts: Counter[str] = Counter()
        self._failures = 0
        self._next_heartbeat = 0.0
        self._clock = records.Clock()
        self._named: WakeupQueue[Lookup] = WakeupQueue()
        self._evaluated: WakeupQueue[Sequence[Message]] = WakeupQueue()
        self._stopping: WakeupQueue[None] = WakeupQueue()
        self._runtime = cluster.Runtime(options.runtime_address)
        self._resolver = Resolver(self._runtime, self._named)
        self._processes = ProcessTable()
        row_builder = RowBuilder(options.location, self._clock)
        reader = ContentReader()
        self._indexes = ImageIndexes(options.image_directory)
        self._kernel = KernelSide(watch_hosts=options.watch_hosts, provenance=options.provenance)
        # The programs are attached from here on. Their rings keep the records until the loop reads them.
        self._containers = ContainerTable(
            on_new=self._resolver.request, on_gone=self._resolver.forget, on_cgroup=self._kernel.add_container
        )
        # Before the loop: the self-test drains the exec ring.
        self._selftest_failures = selftest.run_selftest(self._kernel)
        self._blocker = Blocker(
            self._kernel.blocking,
            host_mnt_ns=self._kernel.host_mnt_ns,
            trusts_overlay=not self._selftest_failures,
            can_deny=self._kernel.can_deny,
        )
        self._evaluator = Evaluator(
            reader, row_builder, self._blocker, self._clock, self._evaluated, self._kernel.is_unwritten
        )
        self._mappings = self._open_mappings()
        self._health = HealthLedger(options.location, self._loss_counters())
        self._tampering = TamperingMonitor(self._kernel.tampering)
        self._marker = self._open_marker()
        self._pipeline = Pipeline(
            containers=self._containers,
            processes=self._processes,
            kernel=self._kernel,
            evaluator=self._evaluator,
            reader=reader,
            indexes=self._indexes,
            row_builder=row_builder,
            blocker=self._blocker,
            policy=options.policy.current,
            clock=self._clock,
            emit=self._emit,
            trusts_overlay=not self._selftest_failures,
        )

    # Libraries are optional: where the kernel refuses perf events, everything else works.
    def _open_mappings(self) -> MappingStream | None:
        if not self._options.libraries:
            return None
        try:
            return MappingStream()
        except UnsupportedHost as error:
            _log.warning("library loads are not covered: %s", error)
            return None

    # Without the state directory only the row about a killed run is missing.
    def _open_marker(self) -> run_markers.RunMarker | None:
        if self._options.state is None:
            return None
        try:
            return run_markers.RunMarker(self._options.state, self._health.sensor_id)
        except OSError as error:
            _log.warning("the next run will not report if this one is killed: %s", error)
            return None

    def run(self) -> None:
        """Report the start and the running containers, then handle records until ``stop``."""
        # These rows come first, so that a reader of the rows knows what the run can record.
        for problem in self._selftest_failures:
            _log.error("the self-test failed: %s", problem)
        for killed in self._marker.killed if self._marker else ():
            self._emit([self._health.row("SensorKilled", reason=killed.reason())])
        self._emit([self._policy_row("SensorStarted", "; ".join(self._selftest_failures), self._options.policy.source)])
        found = inventory.take_inventory(self._containers, self._processes, self._kernel, self._runtime)
        for container in found.containers:
            self._pipeline.name(container)
        # The switch first: nothing is blocked while it is not known.
        self._blocker.follow_switch()
        self._blocker.settle()
        # The records of the time of the inventory first: they say which of the processes found have an exec record.
        self._turn()
        self._pipeline.find(found.processes, time.clock_gettime_ns(time.CLOCK_BOOTTIME))
        self._freeze_memory()
        with selectors.DefaultSelector() as selector:
            for source in self._sources():
                selector.register(source, selectors.EVENT_READ)
            for descriptor in self._mappings.filenos() if self._mappings else ():
                selector.register(descriptor, selectors.EVENT_READ)
            self._turn_until_stopped(selector)

    def _sources(self) -> Sequence[HasFileno]:
        rings = (self._kernel.exec_ring, self._kernel.file_ring)
        return (*rings, self._named, self._evaluated, self._blocker.images.entered, self._stopping)

    # The objects made so far live until the end, so the collector can skip them (gc.freeze). libbpf has parsed the
    # kernel's BTF into some megabytes, which malloc keeps after they are freed; malloc_trim(3) returns them.
    def _freeze_memory(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000)
        ctypes.CDLL(None).malloc_trim(0)

    def _turn_until_stopped(self, selector: selectors.BaseSelector) -> None:
        next_housekeeping = time.monotonic() + _HOUSEKEEPING_SECONDS
        next_turn = 0.0
        is_stopped = False
        # Records gather during the pause of a turn and are handled together, which costs less than one by one.
        while not is_stopped:
            ready = {key.fileobj for key, _ in selector.select(_POLL_SECONDS)}
            if self._evaluated not in ready:  # evaluated candidates may be alerts, which do not wait
                time.sleep(max(0.0, next_turn - time.monotonic()))
            next_turn = time.monotonic() + _TURN_SECONDS
            is_stopped = bool(self._stopping.take())
            self._follow_switch()
            self._turn()
            if time.monotonic() >= next_housekeeping:
                self._housekeep()
                next_housekeeping = time.monotonic() + _HOUSEKEEPING_SECONDS
            self._flush()

    # The order is the one that the module's docstring explains.
    def _turn(self) -> None:
        mappings = self._mappings.drain() if self._mappings else []
        opens = self._kernel.file_ring.drain()
        execs = self._kernel.exec_ring.drain()
        self._blocker.refresh(datetime.datetime.now(datetime.UTC))
        self._take_names()
        beginnings, ends = self._decode(execs)
        for record in (*beginnings, *self._decode(opens)[0]):
            self._handle_guarded(self._pipeline.take, record)
        for mapping in mappings:
            self._handle_guarded(self._pipeline.take_mapping, mapping)
        for record in ends:
            self._handle_guarded(self._pipeline.take, record)
        for messages in self._evaluated.take():
            self._emit(messages)

    def _take_names(self) -> None:
        for lookup in self._named.take():
            if lookup.container:
                self._pipeline.name(lookup.container)
            else:
                self._pipeline.name_by_path(lookup.id)

    # Exits and removed cgroups are handled last: a process that has ended by now opened and mapped files before.
    def _decode(self, batch: Sequence[bytes]) -> tuple[list[records.Record], list[records.Record]]:
        beginnings: list[records.Record] = []
        ends: list[records.Record] = []
        for data in batch:
            record = records.decode(data, self._clock)
            (ends if record.head.type in _ENDS else beginnings).append(record)
        return beginnings, ends

    # A bug in handling one record must not stop the event loop.
    def _handle_guarded(self, take: Callable[[T], None], item: T) -> None:
        try:
            take(item)
        except Exception:  # noqa: BLE001 (logged and counted; the loop must go on)
            self._failures += 1
            _log.exception("a record could not be handled")

    def _follow_switch(self) -> None:
        if self._blocker.follow_switch():
            turned = "BlockingArmed" if self._blocker.is_armed else "BlockingDisarmed"
            self._emit([self._health.row(turned, reason=str(switch.SWITCH))])

    def _housekeep(self) -> None:
        self._clock.adjust()  # the wall clock may have been set
        self._follow_policy()
        self._blocker.settle()
        self._pipeline.end_waits(time.monotonic())
        self._emit(self._health.new_losses())
        self._emit(self._health.gaps(self._pipeline.lost_by_container()))
        if time.monotonic() >= self._next_heartbeat:
            self._next_heartbeat = time.monotonic() + _HEARTBEAT_SECONDS
            self._heartbeat()

    def _heartbeat(self) -> None:
        self._emit([self._health.row("SensorTampered", reason=finding) for finding in self._tampering.new_findings()])
        if self._marker:
            self._marker.touch()
        if self._options.heartbeats:
            self._emit([self._health.heartbeat(self.status())])

    def _follow_policy(self) -> None:
        followed = self._options.policy
        try:
            policy = followed.changed()
        except InvalidPolicy as error:
            _log.error("the policy in force stays: %s", error)
            action = "SensorTampered" if isinstance(error, TamperedPolicy) else "PolicyRefused"
            self._emit([self._policy_row(action, str(error), followed.offered)])
            return
        if policy is not None:
            self._pipeline.set_policy(policy)
            self._emit([self._policy_row("PolicyChanged", followed.source, followed.source, count=len(policy.rules))])

    def _policy_row(self, action: str, reason: str, policy: str, *, count: int = 1) -> SensorHealth:
        return self._health.row(action, reason=reason, count=count, more={"Policy": policy})

    def _emit(self, messages: Sequence[Message]) -> None:
        self._messages.extend(messages)

    def _flush(self) -> None:
        if not self._messages:
            return
        messages, self._messages = self._messages, []
        self._counts.update(type(message).__name__ for message in messages)
        for sink in self._sinks:
            sink.write(messages)

    # The reasons are part of the rows and metrics: do not rename them.
    def _loss_counters(self) -> dict[str, Callable[[], int]]:
        kernel = {
            f"kernel-{reason.name.lower().replace('_', '-')}": partial(self._kernel.lost, reason)
            for reason in records.LossReason
        }
        return kernel | {
            "perf-ring-full": lambda: self._mappings.lost if self._mappings else 0,
            "record-failed": lambda: self._failures,
            "judge-queue-full": lambda: self._evaluator.overflows,
            "evaluation-failed": lambda: self._evaluator.failures,
            "sink-full": lambda: sum(sink.lost() for sink in self._sinks),
        }

    def status(self) -> dict[str, Any]:
        """Return the present state of the sensor, as ``driftline status`` shows it. Any thread may call it.

        ``execs``, ``rows`` and ``lost`` are totals since the start; ``policy_loaded`` is in UTC.
        """
        location = self._options.location
        return {
            "version": driftline.__version__,
            "sensor_id": self._health.sensor_id,
            "cluster": location.cluster,
            "node": location.node,
            "uptime_seconds": round(time.time() - self._started, 1),
            "kernel": requirements.kernel_features(),
            "runtime": self._runtime.address or "not found yet",
            "coverage": {
                "executables": "eBPF tp_btf/sched_process_exec",
                "scripts and writers": "eBPF tp_btf/sys_exit" if self._options.provenance else "off",
                "libraries": "perf PERF_RECORD_MMAP2" if self._mappings else "off",
                "overlay facts": "; ".join(self._selftest_failures) or "verified by the self-test",
                "blocking": self._blocker.status(),
            },
            "policy": self._options.policy.source,
            "policy_loaded": self._options.policy.loaded_at.isoformat(timespec="seconds"),
            "policy_rules": len(self._options.policy.current.rules),
            "containers_with_blocking": len(self._blocker),
            "containers": len(self._containers),
            "containers_without_name": self._pipeline.unnamed(),
            "processes": len(self._processes),
            "execs": self._pipeline.execs,
            "rows": dict(self._counts),
            "lost": self._health.lost(),
        }

    def stop(self) -> None:
        """End ``run`` after the present turn. Any thread and any signal handler may call it."""
        self._stopping.put(None)

    def close(self) -> None:
        """Handle the last records, finish and write the evaluations under way, report the stop, unload the programs."""
        # No record comes after the programs are detached. Their maps are used until the end.
        self._kernel.detach()
        self._turn()
        self._pipeline.end_all_waits()
        self._evaluator.close()
        for messages in self._evaluated.take():
            self._emit(messages)
        self._emit(self._health.new_losses())
        self._emit(self._health.gaps(self._pipeline.lost_by_container()))
        self._emit([self._health.row("SensorStopped", reason="")])
        self._flush()
        if self._marker:
            self._marker.stop()
        self._resolver.close()
        self._indexes.close()
        self._blocker.close()
        if self._mappings:
            self._mappings.close()
        self._kernel.close()
        self._runtime.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
