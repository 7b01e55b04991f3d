"""Keeps what the drift rules block in force: in the kernel beforehand, by a signal afterwards.

A container's rules are compiled once it is named, and again when policy, pod or image index
change. All entries that belong to a compilation carry its number; the one entry that names the
number is replaced last and whole, so no exec sees half a policy. What the kernel side could not
decide is decided by the verdict, whose process is then killed if it still runs, and whose file
the kernel side knows from then on.
"""

from __future__ import annotations

import datetime
import itertools
import logging
import threading
from collections import OrderedDict

import msgspec

from driftline.errors import DriftlineError
from driftline.events import Action, Drift, Subject, Verdict
from driftline.policy import compile_blocking
from driftline.sensor.bpf import bpffs
from driftline.sensor.bpf.block_maps import BlockMaps
from driftline.sensor.bpf.records import ProcessKey
from driftline.sensor.enforcement import stopping, switch
from driftline.sensor.enforcement.image_maps import ImageMaps
from driftline.sensor.tracking.containers import TrackedContainer
from driftline.verdict import FileFacts

__all__ = ["Blocker"]

_CACHED_VERDICTS_MAX = 4096
_log = logging.getLogger(__name__)


class _CachedVerdict(msgspec.Struct, frozen=True):
    file: FileFacts
    verdict: Verdict
    process_name: str


class _Enforcement:
    def __init__(self, tracked: TrackedContainer) -> None:
        self.tracked = tracked
        self.number = 0
        self.keys: list[bytes] = []
        self.verdicts: OrderedDict[tuple[int, int, Subject], _CachedVerdict] = OrderedDict()


class Blocker:
    """Puts policies in force. The loop's thread calls all but ``learn`` and ``stop``."""

    def __init__(self, maps: BlockMaps, *, host_mnt_ns: int, trusts_overlay: bool, can_deny: bool) -> None:
        """Take the maps of the kernel side.

        ``trusts_overlay``: its overlay facts were found right; else only verdicts block. ``can_deny``:
        it has BPF LSM.
        """
        self.images = ImageMaps(maps)
        self.is_armed = False
        """Whether the emergency switch lets anything be blocked."""
        self._maps = maps
        self._host_mnt_ns = host_mnt_ns
        self._trusts_overlay = trusts_overlay
        self._can_deny = can_deny
        self._numbers = itertools.count(1)
        self._entries: dict[str, _Enforcement] = {}
        self._is_guarded: bool | None = None  # not known: a former sensor may have left guards
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Count the containers with rules that block."""
        return len(self._entries)

    def follow_switch(self) -> bool:
        """Follow the emergency switch; tells whether it was turned."""
        is_armed = not switch.is_disarmed()
        if is_armed == self.is_armed:
            return False
        self.is_armed = is_armed
        self._maps.arm(is_armed)
        self.settle()
        return True

    def apply(self, tracked: TrackedContainer) -> None:
        """Put the rules of a container in force as they are now."""
        tracked.blocking = compile_blocking(tracked.policy, datetime.datetime.now(datetime.UTC))
        if not tracked.blocking.subjects:
            self.forget(tracked)
            return
        with self._lock:
            entry = self._entries.setdefault(tracked.id, _Enforcement(tracked))
            old, entry.keys, entry.number = entry.keys, [], next(self._numbers)
            if self._trusts_overlay:
                self._enter(entry)
            self._maps.disallow(old)

    def _enter(self, entry: _Enforcement) -> None:
        tracked = entry.tracked
        try:
            entry.keys = self._maps.allow(tracked.blocking, entry.number)
            for cached in entry.verdicts.values():
                self._cache_verdict(entry, cached)
            image = self.images.of(tracked.index)
            for cgroup in tracked.cgroups:
                self._maps.set_policy(cgroup, tracked.blocking, owner=entry.number, image=image)
        except OSError as error:
            _log.error("what runs in container %s is blocked after its verdict only: %s", tracked.id, error)

    def forget(self, tracked: TrackedContainer) -> None:
        """Block nothing in a container any more, for its rules or its end."""
        with self._lock:
            entry = self._entries.pop(tracked.id, None)
        if entry is None:
            return
        for cgroup in tracked.cgroups:
            self._maps.clear_policy(cgroup)
        self._maps.disallow(entry.keys)

    def refresh(self, now: datetime.datetime) -> None:
        """Follow rules that expired by ``now`` (UTC, aware) and images that were entered."""
        entered = self.images.take()
        for entry in tuple(self._entries.values()):
            changes_at = entry.tracked.blocking.changes_at
            if entry.tracked.index in entered or (changes_at and changes_at <= now):
                self.apply(entry.tracked)

    def settle(self) -> None:
        """Keep the images that are needed and, where a rule fails closed, the guards."""
        tracked = [entry.tracked for entry in self._entries.values()]
        self.images.keep({it.index for it in tracked})
        wants_guard = self.is_armed and self._trusts_overlay and any(it.blocking.fail_closed for it in tracked)
        if wants_guard == self._is_guarded:
            return
        self._is_guarded = wants_guard
        try:
            self._guard() if wants_guard else self._maps.unguard(switch.GUARDS_FOLDER)
        except (DriftlineError, OSError) as error:
            _log.error("blocking will end with the sensor, though a rule fails closed: %s", error)

    def _guard(self) -> None:
        bpffs.make_folder(switch.GUARDS_FOLDER)
        self._maps.guard(switch.GUARDS_FOLDER)

    def learn(self, tracked: TrackedContainer, file: FileFacts, verdict: Verdict, *, process_name: str) -> None:
        """Take in what a verdict says of a file, for the next time it is run."""
        if verdict.subject not in tracked.blocking.subjects or verdict.drift == Drift.UNKNOWN:
            return
        cached = _CachedVerdict(file, verdict, process_name)
        with self._lock:
            entry = self._entries.get(tracked.id)
            if entry is None:
                return
            entry.verdicts[file.device, file.inode, verdict.subject] = cached
            if len(entry.verdicts) > _CACHED_VERDICTS_MAX:
                entry.verdicts.popitem(last=False)
            self._cache_verdict(entry, cached)

    def _cache_verdict(self, entry: _Enforcement, cached: _CachedVerdict) -> None:
        verdict, now = cached.verdict, datetime.datetime.now(datetime.UTC)
        is_trusted = verdict.drift == Drift.NO or (
            entry.tracked.policy.decide(verdict, process_name=cached.process_name, now=now).action != Action.BLOCK
        )
        self._maps.cache_verdict(cached.file, entry.number, verdict.subject, is_trusted=is_trusted)

    def was_killed(self, inode: int, pid: int) -> bool:
        """Tell whether the kernel side killed a process for mapping a file."""
        return self._maps.was_killed(inode, pid)

    def stop(self, tracked: TrackedContainer, process: ProcessKey, verdict: Verdict) -> str:
        """Kill a process for its verdict; gives why not, in words, empty if it was killed."""
        if not self.is_armed:
            return "blocking is disarmed"
        if verdict.drift != Drift.YES and verdict.subject not in tracked.blocking.fail_closed:
            return "it is not proven to be drift, and the rule fails open"
        if process == tracked.first and verdict.subject not in tracked.blocking.first_process:
            return "it is the container's first process"
        return stopping.stop(process, host_mnt_ns=self._host_mnt_ns)

    def status(self) -> str:
        """Say how blocking is done, for people."""
        if not self.is_armed:
            return f"disarmed by {switch.SWITCH}"
        if not self._trusts_overlay:
            return "SIGKILL after the verdict"
        at_exec = "LSM denial at exec, SIGKILL at" if self._can_deny else "SIGKILL at exec,"
        guarded = ", guarded by pinned programs" if self._is_guarded else ""
        return f"{at_exec} open and mmap, or after the verdict{guarded}"

    def close(self) -> None:
        """Stop the threads; guards stay."""
        self.images.close()
