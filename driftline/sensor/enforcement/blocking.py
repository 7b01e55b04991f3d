"""Enforcement of the drift rules: in the kernel before a file runs, by a signal after its verdict.

A container's rules are compiled when the runtime has named it, and again when its policy, pod or image index
changes. All map entries of one compilation carry its number. The entry of the cgroup, which refers to the number, is
replaced last and as a whole, so no exec sees half a policy.

A file for which the kernel side cannot decide runs, and the verdict decides: a blocked process is killed if it still
runs, and the verdict of the file is cached in the kernel, for the next exec. With ``failClosed`` the kernel side
blocks such a file until the verdict trusts it.
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
from driftline.policy import Blocking, ContainerPolicy, compile_blocking
from driftline.sensor.bpf import bpffs
from driftline.sensor.bpf.block_maps import UNKNOWN_PODS, BlockMaps
from driftline.sensor.bpf.records import Cgroup, ProcessKey
from driftline.sensor.enforcement import stopping, switch
from driftline.sensor.enforcement.image_maps import ImageMaps
from driftline.sensor.tracking.containers import TrackedContainer
from driftline.verdict import FileFacts

__all__ = ["Blocker"]

_CACHED_VERDICTS_MAX = 4096
"""Verdicts kept for each container, to cache them in the kernel again under the number of the next compilation."""
_log = logging.getLogger(__name__)


class _CachedVerdict(msgspec.Struct, frozen=True):
    # A file's verdict, with the process name that the allow lists are compared with.

    file: FileFacts
    verdict: Verdict
    process_name: str


class _Enforcement:
    # The rules of one container in force: the number of their compilation, and the allow-list keys under it.

    def __init__(self, tracked: TrackedContainer) -> None:
        self.tracked = tracked
        self.number = 0
        self.keys: list[bytes] = []
        # The cgroups with an entry in the kernel. The container's own set is empty by the time that it is removed.
        self.cgroups: set[Cgroup] = set()
        self.verdicts: OrderedDict[tuple[int, int, Subject], _CachedVerdict] = OrderedDict()


class Blocker:
    """Enforcement of the drift rules of all containers.

    The sensor's loop calls the methods, except ``learn``, ``was_killed`` and ``stop``, which any thread may call.
    """

    def __init__(self, maps: BlockMaps, *, host_mnt_ns: int, trusts_overlay: bool, can_deny: bool) -> None:
        """Take the maps of the kernel side.

        ``host_mnt_ns`` is the inode number of the node's own mount namespace: processes there are never killed.
        ``trusts_overlay`` says that the self-test passed; otherwise the kernel side blocks nothing and only
        verdicts do. ``can_deny`` says that the kernel has BPF LSM.
        """
        self.images = ImageMaps(maps)
        self.is_armed = False
        """Whether the emergency switch permits blocking."""
        self._maps = maps
        self._host_mnt_ns = host_mnt_ns
        self._trusts_overlay = trusts_overlay
        self._can_deny = can_deny
        self._numbers = itertools.count(1)
        self._entries: dict[str, _Enforcement] = {}
        self._unknown_keys: list[bytes] = []
        self._unknown_policy = ContainerPolicy((), Action.IGNORE)
        self._unknown_blocking = Blocking()
        self._is_guarded: bool | None = None  # unknown: an earlier sensor may have left guards
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of containers with rules that block."""
        return len(self._entries)

    def follow_switch(self) -> bool:
        """Follow the emergency switch; return whether it was turned since the last call."""
        is_armed = not switch.is_disarmed()
        if is_armed == self.is_armed:
            return False
        self.is_armed = is_armed
        self._maps.arm(is_armed)
        self.settle()  # attaches or detaches the guards
        return True

    def apply(self, tracked: TrackedContainer) -> None:
        """Compile the rules of a container and put them in force; called again after each change of them.

        If a map is full, the error is logged, and the container's processes are killed after their verdicts only.
        """
        tracked.blocking = compile_blocking(tracked.policy, datetime.datetime.now(datetime.UTC))
        if not tracked.blocking.subjects:
            self.forget(tracked)
            return
        with self._lock:
            entry = self._entries.setdefault(tracked.id, _Enforcement(tracked))
            # The entries of the old number are deleted last: until then the old policy is in force.
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
            # Last the entries of the cgroups: with them the new number is in force.
            image = self.images.of(tracked.index)
            for cgroup in tracked.cgroups:
                self._maps.set_policy(cgroup, tracked.blocking, owner=entry.number, image=image)
                entry.cgroups.add(cgroup)
        except OSError as error:
            _log.error("executions in container %s are blocked only after their verdict: %s", tracked.id, error)

    def apply_to_unknown_pods(self, policy: ContainerPolicy) -> None:
        """Put the rules in force for pods whose cgroups the sensor has not seen: it lags, or has ended.

        ``policy`` has the rules that may hold for any pod.
        """
        blocking = compile_blocking(policy, datetime.datetime.now(datetime.UTC))
        old, number = self._unknown_keys, next(self._numbers)
        self._unknown_keys, self._unknown_policy, self._unknown_blocking = [], policy, blocking
        if not blocking.subjects or not self._trusts_overlay:
            self._maps.clear_policy(UNKNOWN_PODS)
        else:
            try:
                self._unknown_keys = self._maps.allow(blocking, number)
                self._maps.set_policy(UNKNOWN_PODS, blocking, owner=number, image=None)
            except OSError as error:
                _log.error("pods are under no blocking rules until the sensor has seen them: %s", error)
        self._maps.disallow(old)

    def forget(self, tracked: TrackedContainer) -> None:
        """End blocking in a container, because no rule blocks any more or because the container ended."""
        with self._lock:
            entry = self._entries.pop(tracked.id, None)
        if entry is None:
            return
        for cgroup in entry.cgroups:
            self._maps.clear_policy(cgroup)
        self._maps.disallow(entry.keys)

    def forget_cgroup(self, tracked: TrackedContainer, cgroup: Cgroup) -> None:
        """Remove the rules of a cgroup that was removed from a container; it need not have rules."""
        entry = self._entries.get(tracked.id)
        if entry and cgroup in entry.cgroups:
            entry.cgroups.remove(cgroup)
            self._maps.clear_policy(cgroup)

    def refresh(self, now: datetime.datetime) -> None:
        """Apply again the rules that expired by ``now`` (aware, UTC) or whose image was loaded since the last call."""
        entered = self.images.take()
        if self._unknown_blocking.changes_at and self._unknown_blocking.changes_at <= now:
            self.apply_to_unknown_pods(self._unknown_policy)
        for entry in tuple(self._entries.values()):
            changes_at = entry.tracked.blocking.changes_at
            if entry.tracked.index in entered or (changes_at and changes_at <= now):
                self.apply(entry.tracked)

    def settle(self) -> None:
        """Release unused images, and attach or detach the guards.

        Guards are needed while blocking is armed, the self-test has passed and some rule has ``failClosed``.
        """
        tracked = [entry.tracked for entry in self._entries.values()]
        self.images.keep({it.index for it in tracked})
        fails_closed = self._unknown_blocking.fail_closed or any(it.blocking.fail_closed for it in tracked)
        wants_guard = self.is_armed and self._trusts_overlay and bool(fails_closed)
        if wants_guard == self._is_guarded:
            return
        # Set before trying: a failure is logged once and not twice a second.
        self._is_guarded = wants_guard
        try:
            self._guard() if wants_guard else self._maps.unguard(switch.GUARDS_FOLDER)
        except (DriftlineError, OSError) as error:
            _log.error("blocking will end with the sensor, although a rule has failClosed: %s", error)

    def _guard(self) -> None:
        bpffs.make_folder(switch.GUARDS_FOLDER)
        self._maps.guard(switch.GUARDS_FOLDER)

    def learn(self, tracked: TrackedContainer, file: FileFacts, verdict: Verdict, *, process_name: str) -> None:
        """Cache the verdict of a file in the kernel, for its next execution.

        Unknown drift is not cached, nor a subject that the container's rules do not block. ``process_name`` is the
        name that the rules' allow lists are compared with.
        """
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

    # A drifted file is trusted, too, if the deciding rule does not block it: an allow list may name it.
    def _cache_verdict(self, entry: _Enforcement, cached: _CachedVerdict) -> None:
        verdict, now = cached.verdict, datetime.datetime.now(datetime.UTC)
        is_trusted = verdict.drift == Drift.NO or (
            entry.tracked.policy.decide(verdict, process_name=cached.process_name, now=now).action != Action.BLOCK
        )
        self._maps.cache_verdict(cached.file, entry.number, verdict.subject, is_trusted=is_trusted)

    def was_killed(self, inode: int, pid: int) -> bool:
        """Return whether the kernel side killed the process ``pid`` for mapping the file ``inode``."""
        return self._maps.was_killed(inode, pid)

    def stop(self, tracked: TrackedContainer, process: ProcessKey, verdict: Verdict) -> str:
        """Kill a process whose verdict the rules block.

        Returns the reason why it was not killed, for the row and the alert; empty if it was killed. The exemptions
        are those of the kernel side (``bpf/lib/block.h``): unproven drift without ``failClosed``, and the
        container's first process unless a rule includes it.
        """
        if not self.is_armed:
            return "blocking is disarmed"
        if verdict.drift != Drift.YES and verdict.subject not in tracked.blocking.fail_closed:
            return "it is not proven to be drift, and the rule fails open"
        if process == tracked.first and verdict.subject not in tracked.blocking.first_process:
            return "it is the container's first process"
        return stopping.stop(process, host_mnt_ns=self._host_mnt_ns)

    def status(self) -> str:
        """Return a description of how blocking works on this node, for ``driftline status``."""
        if not self.is_armed:
            return f"disarmed by {switch.SWITCH}"
        if not self._trusts_overlay:
            return "SIGKILL after the verdict"
        at_exec = "LSM denial at exec, SIGKILL at" if self._can_deny else "SIGKILL at exec,"
        guarded = ", guarded by pinned programs" if self._is_guarded else ""
        if self._unknown_blocking.fail_closed and self._is_guarded:
            guarded += ", which cover pods that start while the sensor is away"
        return f"{at_exec} open and mmap, or after the verdict{guarded}"

    def close(self) -> None:
        """Stop the threads. Guards stay attached."""
        self.images.close()
