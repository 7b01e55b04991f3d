"""Allow-list entries for what keeps drifting for a reason that is known.

An execution is suggested for an allow list only if it recurs, in more than one pod or on more
than one day, and is explained: its bytes were read, and either they are the image's own under
another path, or it was seen who wrote them. Whatever an intruder would do is left out and told
with its reason: what has no file, what runs from shared memory, shells and interpreters under
another name, what somebody started in an exec session.

An entry is a digest, since a path allows whatever is put there. Only where a path's bytes
differ again and again, as with a program that updates itself, it is the path.
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
MAX_DIGESTS = 3
"""More different bytes than that at one path, and the path is suggested instead."""

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
"""What runs whatever it is told to; a version behind the name (``python3.11``) does not count."""

Executions = Sequence[CloudProcessEvent]


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """One entry for a rule's allow list: exactly one of ``sha256`` and ``path`` is set."""

    rule: str
    """The rule that decided on them."""
    sha256: str = ""
    path: str = ""
    programs: tuple[str, ...]
    """The paths it covers."""
    workloads: tuple[str, ...]
    count: int
    reason: str
    """Why the last of them was drift, in the sensor's words."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A program that is not suggested."""

    program: str
    workload: str
    count: int
    why: str


class Suggestions(msgspec.Struct, frozen=True, kw_only=True):
    """What can be allowed, and what cannot."""

    allow: tuple[Suggestion, ...]
    left_out: tuple[LeftOut, ...]


def suggest(events: Iterable[CloudProcessEvent], *, at_least: int = AT_LEAST) -> Suggestions:
    """Suggest allow lists for executions that a rule alerted on or blocked.

    ``at_least`` is how often one must have run.
    """
    programs: dict[tuple[str, str, str], list[CloudProcessEvent]] = defaultdict(list)
    for event in events:
        if event.PolicyAction in (Action.ALERT.value, Action.BLOCK.value):
            programs[event.PolicyRule, workload_of(event), path_of(event)].append(event)
    allowed: list[Executions] = []
    left_out: list[LeftOut] = []
    for (_, workload, path), ran in sorted(programs.items()):
        why = next((words for is_so, words in _REFUSALS if is_so(ran)), "") or _is_rare(ran, at_least)
        if why:
            left_out.append(LeftOut(program=path, workload=workload, count=len(ran), why=why))
        else:
            allowed.append(ran)
    return Suggestions(allow=tuple(_entries(allowed)), left_out=tuple(left_out))


def _is_rare(ran: Executions, at_least: int) -> str:
    if len(ran) < at_least:
        return f"it ran less than {at_least} times"
    pods = {(event.KubernetesNamespace, event.KubernetesPodName, event.ContainerId) for event in ran}
    days = {event.Timestamp.date() for event in ran}
    return "it ran in one pod on one day only" if len(pods) == len(days) == 1 else ""


def _has_origin(*origins: Origin) -> Callable[[Executions], bool]:
    return lambda ran: any(event.DriftOrigin in origins for event in ran)


def _is_unread(ran: Executions) -> bool:
    return any(event.DriftContent == Content.UNVERIFIED or not event.SHA256 for event in ran)


# As verdict/reason.py words it; with more paths than one, a multi-call program may be among them.
_ELSEWHERE = re.compile(r"has these bytes at (.+?)( and \d+ more paths)?( \(.*\))?$", re.DOTALL)
_WRITTEN = re.compile(r"\bwas written at .* by pid \d+ ")

_VERSION = "0123456789.-"


def _is_shell(ran: Executions) -> bool:
    return any(not SHELLS.isdisjoint(_names(event)) for event in ran)


def _names(event: CloudProcessEvent) -> Iterator[str]:
    yield event.FileName.rstrip(_VERSION)
    found = _ELSEWHERE.search(event.DriftReason)
    if found and event.DriftContent == Content.RELOCATED:
        yield found[1].rpartition("/")[2].rstrip(_VERSION)
        yield "busybox" if found[2] else ""


def _is_no_text(ran: Executions) -> bool:
    try:
        raw(path_of(ran[0])).decode()
    except UnicodeDecodeError:
        return True
    return False


def _is_unexplained(ran: Executions) -> bool:
    return any(event.DriftContent != Content.RELOCATED and not _WRITTEN.search(event.DriftReason) for event in ran)


_REFUSALS: tuple[tuple[Callable[[Executions], bool], str], ...] = (
    (_has_origin(Origin.MEMORY), "it is fileless: it ran from memory"),
    (_has_origin(Origin.DELETED), "its file was deleted when it ran"),
    (_has_origin(Origin.TMPFS), "it ran from a tmpfs, which leaves no trace"),
    (_has_origin(Origin.HOST, Origin.UNKNOWN), "it ran from outside the container's file systems"),
    (_is_unread, "its bytes were not read"),
    (_is_shell, "it is, or may be, a shell or interpreter under another path: whoever runs it can do anything"),
    (lambda ran: any(event.SessionKey for event in ran), "somebody ran it in an exec session"),
    (_is_no_text, "its path is no UTF-8 text, which policies are"),
    (_is_unexplained, "it was not seen who wrote it"),
    (lambda ran: ran[0].PolicyRule == DEFAULT_RULE, "the default rule decided, which has no allow list: add a rule"),
)
"""What is never suggested, and why; the first that holds is told."""


def _entries(allowed: Iterable[Executions]) -> Iterator[Suggestion]:
    """Give the fewest entries: one for a digest wherever it ran, one for a path whose bytes keep changing."""
    by_digest: dict[tuple[str, str], list[CloudProcessEvent]] = defaultdict(list)
    by_path: dict[tuple[str, str], list[CloudProcessEvent]] = defaultdict(list)
    for ran in allowed:
        changes = len({event.SHA256 for event in ran}) > MAX_DIGESTS
        for event in ran:
            if changes:
                by_path[event.PolicyRule, path_of(event)].append(event)
            else:
                by_digest[event.PolicyRule, event.SHA256].append(event)
    covered = {(rule, path) for rule, path in by_path}
    for (rule, digest), events in sorted(by_digest.items()):
        if not all((rule, path_of(event)) in covered for event in events):
            yield _suggestion(rule, events, sha256=digest)
    for (rule, path), events in sorted(by_path.items()):
        yield _suggestion(rule, events, path=_as_glob(raw(path).decode()))


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
