"""Suggested allow-list entries for recurring drift with a known explanation.

A program is suggested only if it recurs, in more than one pod or on more than one day, and is
explained: its bytes were read, and either the image has them under another path or the process that
wrote them was seen. Programs that an attacker would typically run are left out, each with its reason:
programs without a file, programs on a tmpfs, shells and interpreters under another name, and programs
started in an exec session.

An entry is a digest, because a path allows any file that is placed there. It is a path only if the
bytes at the path change frequently, as those of a program that updates itself do.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from driftline.events import Action, CloudProcessEvent, Content, Origin, raw
from driftline.policy.model import DEFAULT_RULE
from driftline.policy.replay import path_of, workload_of

__all__ = ["AT_LEAST", "LeftOut", "Suggestion", "Suggestions", "suggest"]

AT_LEAST = 3
"""Default for the minimum number of executions of a suggested program."""
MAX_DIGESTS = 3
"""Maximum number of digests suggested for one path; with more, the path itself is suggested."""

SHELLS = frozenset(
    (
        *(
            "ash",
            "bash",
            "busybox",
            "csh",
            "dash",
            "fish",
            "ksh",
            "mksh",
            "rbash",
            "sash",
            "sh",
            "tcsh",
            "toybox",
            "zsh",
        ),
        *("awk", "gawk", "lua", "mawk", "nc", "ncat", "netcat", "node", "perl", "php", "python", "ruby", "socat"),
    )
)
"""Names of programs that run any commands given to them, without version suffixes (``python3.11``)."""

Executions = Sequence[CloudProcessEvent]
"""Executions of one program in one workload, decided by one rule."""


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A suggested entry of a rule's allow list. Exactly one of ``sha256`` and ``path`` is set."""

    rule: str
    """Name of the rule that decided the executions."""
    sha256: str = ""
    """Lower-case hexadecimal digest to allow, or empty."""
    path: str = ""
    """Path to allow, as a glob that matches only this path, or empty."""
    programs: tuple[str, ...]
    """Paths of the executed files, sorted, in the notation of ``events.text``."""
    workloads: tuple[str, ...]
    """Workloads of the executions, sorted, as ``replay.workload_of`` returns them."""
    count: int
    """Number of executions."""
    reason: str
    """Reason in the verdict of the latest execution."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A program that is not suggested."""

    program: str
    """Path of the executed file."""
    workload: str
    """Workload, as ``replay.workload_of`` returns it."""
    count: int
    """Number of executions."""
    why: str
    """Reason why it is not suggested."""


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """Suggested entries, and the programs that are left out."""

    allow: tuple[Suggestion, ...]
    """Entries by digest, sorted by rule and digest, then entries by path, sorted by rule and path."""
    left_out: tuple[LeftOut, ...]
    """Programs that are not suggested, sorted by rule, workload and path."""


def suggest(events: Iterable[CloudProcessEvent], *, at_least: int = AT_LEAST) -> Suggestions:
    """Suggest allow-list entries for executions that a rule alerted on or blocked.

    Other executions are skipped. ``at_least`` is the minimum number of executions of a program in a
    workload. Programs are grouped by rule, workload and path; a single unacceptable execution excludes its
    whole group. Suggestions of several workloads with the same digest are one entry.
    """
    programs: dict[tuple[str, str, str], list[CloudProcessEvent]] = defaultdict(list)
    for event in events:
        if event.PolicyAction in (Action.ALERT.value, Action.BLOCK.value):
            programs[event.PolicyRule, workload_of(event), path_of(event)].append(event)
    allowed: list[Executions] = []
    left_out: list[LeftOut] = []
    for (_, workload, path), ran in sorted(programs.items()):
        why = next((reason for applies, reason in _REFUSALS if applies(ran)), "") or _rarity(ran, at_least)
        if why:
            left_out.append(LeftOut(program=path, workload=workload, count=len(ran), why=why))
        else:
            allowed.append(ran)
    return Suggestions(allow=tuple(_entries(allowed)), left_out=tuple(left_out))


# Why a program does not recur, in words; empty if it does. Executions in one pod on one day may all belong
# to one attack, however many they are.
def _rarity(ran: Executions, at_least: int) -> str:
    if len(ran) < at_least:
        return f"it ran less than {at_least} times"
    pods = {(event.KubernetesNamespace, event.KubernetesPodName, event.ContainerId) for event in ran}
    days = {event.Timestamp.date() for event in ran}
    return "it ran in one pod on one day only" if len(pods) == len(days) == 1 else ""


def _has_origin(*origins: Origin) -> Callable[[Executions], bool]:
    return lambda ran: any(event.DriftOrigin in origins for event in ran)


# A program is left out if any of its executions is unacceptable: one among many may be the attack.
def _is_unread(ran: Executions) -> bool:
    return any(event.DriftContent == Content.UNVERIFIED or not event.SHA256 for event in ran)


# The relation is parsed from the reason, as driftline.verdict.reason words it, because events have no column for it.
_ELSEWHERE = re.compile(r"has these bytes at (.+?)( and \d+ more paths)?( \(.*\))?$", re.DOTALL)
_WRITTEN = re.compile(r"\bwas written at .* by pid \d+ ")

_VERSION = "0123456789.-"


def _is_shell(ran: Executions) -> bool:
    return any(not SHELLS.isdisjoint(_names(event)) for event in ran)


# The names a program may have: its own and that of the image's file with the same bytes. If the image has
# the bytes at several paths, the reason names one only, and the file may be a multi-call binary such as busybox.
def _names(event: CloudProcessEvent) -> Iterator[str]:
    yield event.FileName.rstrip(_VERSION)
    found = _ELSEWHERE.search(event.DriftReason)
    if found and event.DriftContent == Content.RELOCATED:
        yield found[1].rpartition("/")[2].rstrip(_VERSION)
        yield "busybox" if found[2] else ""


def _is_path_not_text(ran: Executions) -> bool:
    try:
        raw(path_of(ran[0])).decode()
    except UnicodeDecodeError:
        return True
    return False


# Rows of sensors without the columns of the writer have it in the reason alone.
def _is_unexplained(ran: Executions) -> bool:
    return any(
        event.DriftContent != Content.RELOCATED
        and not event.WriterProcessKey
        and not _WRITTEN.search(event.DriftReason)
        for event in ran
    )


# Containers of one pod may work for each other, as an init container does.
def _is_foreign(ran: Executions) -> bool:
    return any(
        event.WriterPlace == "node" or (event.WriterPlace == "other-container" and _writer_pod(event) != _pod(event))
        for event in ran
    )


def _pod(event: CloudProcessEvent) -> tuple[str, str]:
    return event.KubernetesNamespace, event.KubernetesPodName


def _writer_pod(event: CloudProcessEvent) -> tuple[str, str]:
    return event.WriterKubernetesNamespace, event.WriterKubernetesPodName


_REFUSALS: tuple[tuple[Callable[[Executions], bool], str], ...] = (
    (_has_origin(Origin.MEMORY), "it is fileless: it ran from memory"),
    (_has_origin(Origin.DELETED), "its file was deleted when it ran"),
    (_has_origin(Origin.TMPFS), "it ran from a tmpfs, which is lost on restart"),
    (_has_origin(Origin.HOST, Origin.UNKNOWN), "it ran from outside the container's file systems"),
    (_is_unread, "its bytes were not read"),
    (_is_shell, "it is, or may be, a shell or interpreter under another path, which can run any command"),
    (lambda ran: any(event.SessionKey for event in ran), "it ran in an exec session"),
    (_is_foreign, "it was written from outside of its pod"),
    (_is_path_not_text, "its path is not valid UTF-8, and policies are UTF-8"),
    (_is_unexplained, "the process that wrote it was not seen"),
    (lambda ran: ran[0].PolicyRule == DEFAULT_RULE, "the default rule decided, which has no allow list: add a rule"),
)
"""Conditions under which a program is never suggested, each with its reason; the first that holds is reported."""


def _entries(allowed: Iterable[Executions]) -> Iterator[Suggestion]:
    """Yield the fewest entries: one per digest, whatever its paths, and one per path whose bytes change frequently."""
    by_digest: dict[tuple[str, str], list[CloudProcessEvent]] = defaultdict(list)
    by_path: dict[tuple[str, str], list[CloudProcessEvent]] = defaultdict(list)
    for ran in allowed:
        changes = len({event.SHA256 for event in ran}) > MAX_DIGESTS
        for event in ran:
            if changes:
                by_path[event.PolicyRule, path_of(event)].append(event)
            else:
                by_digest[event.PolicyRule, event.SHA256].append(event)
    # A digest needs no entry if entries by path cover all its executions.
    covered = {(rule, path) for rule, path in by_path}
    for (rule, digest), events in sorted(by_digest.items()):
        if not all((rule, path_of(event)) in covered for event in events):
            yield _suggestion(rule, events, sha256=digest)
    for (rule, path), events in sorted(by_path.items()):
        yield _suggestion(rule, events, path=_as_glob(raw(path).decode()))


# Allowed paths are globs; brackets make their special characters literal (fnmatch).
def _as_glob(path: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", path)


def _suggestion(rule: str, events: Executions, *, sha256: str = "", path: str = "") -> Suggestion:
    return Suggestion(
        rule=rule,
        sha256=sha256,
        path=path,
        programs=tuple(sorted({path_of(event) for event in events})),
        workloads=tuple(sorted({workload_of(event) for event in events})),
        count=len(events),
        reason=max(events, key=lambda event: event.Timestamp).DriftReason,
    )
