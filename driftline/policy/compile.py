"""The blocking rules of a container, compiled for the kernel program, which decides without user space.

For each subject (binary, script, library, loader) exactly one rule decides: the first in force,
with its allow list. So the rules become a few sets of subjects and tables of allowed names and paths.

The kernel program knows the name and path of a file and not its content. A rule whose allow list has
digests, or path patterns other than a folder with all below it, is therefore *undecidable* in the
kernel: the sensor decides after it has read the file, and blocks with SIGKILL if necessary.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping

import msgspec

from driftline.events import Action, Subject
from driftline.policy.decide import ContainerPolicy
from driftline.policy.model import AllowedProcess, Rule

__all__ = ["Blocking", "compile_blocking"]

_WILDCARD = re.compile(r"[*?[]")

Subjects = frozenset[Subject]
"""Kinds of executions: binary, script, library, loader."""


class Blocking(msgspec.Struct, frozen=True, kw_only=True):
    """The compiled blocking rules of one container.

    Each set holds the subjects to which its property applies. The default value blocks nothing.
    """

    subjects: Subjects = frozenset()
    """Subjects that are blocked when they drift; the other sets are subsets."""
    fail_closed: Subjects = frozenset()
    """Subjects that are blocked unless they are allowed or proven not to be drift."""
    first_process: Subjects = frozenset()
    """Subjects for which the container's first process is not exempt."""
    undecidable: Subjects = frozenset()
    """Subjects that the kernel program cannot decide without the file's content."""
    relocated: Subjects = frozenset()
    """Subjects for which bytes that the image has under another path are allowed."""
    names: Mapping[str, Subjects] = {}
    """Subjects allowed for each file name (without its folder)."""
    paths: Mapping[str, Subjects] = {}
    """Subjects allowed for each absolute path."""
    directories: Mapping[str, Subjects] = {}
    """Subjects allowed below each folder, at any depth; absolute paths without the slash at the end."""
    changes_at: datetime.datetime | None = None
    """Time when the next deciding rule expires and the rules must be compiled again, UTC; ``None`` for never."""


def compile_blocking(policy: ContainerPolicy, now: datetime.datetime) -> Blocking:
    """Compile the rules that apply to a container, as they are in force at ``now`` (aware, UTC).

    Compile again at ``Blocking.changes_at`` and whenever the policy or the container's data change.
    """
    # Rules that do not block count here as well: a preceding ignore or alert rule decides its subjects
    # and keeps later blocking rules from applying to them.
    deciding = {subject: rule for subject in Subject if (rule := policy.rule_for(subject, now))}
    by_default = [s for s in Subject if s not in deciding and policy.default_action == Action.BLOCK]
    rules = {subject: rule for subject, rule in deciding.items() if rule.action == Action.BLOCK}
    return Blocking(
        subjects=frozenset((*rules, *by_default)),
        fail_closed=frozenset(subject for subject, rule in rules.items() if rule.fail_closed),
        first_process=frozenset(subject for subject, rule in rules.items() if rule.first_process),
        undecidable=frozenset(subject for subject, rule in rules.items() if any(map(_is_undecidable, rule.allow))),
        relocated=frozenset(subject for subject, rule in rules.items() if any(e.relocated for e in rule.allow)),
        names=_table((entry.name, subject) for entry, subject in _entries(rules) if entry.name),
        paths=_table((entry.path, subject) for entry, subject in _entries(rules) if _is_plain(entry.path)),
        directories=_table((entry.path[:-2], subject) for entry, subject in _entries(rules) if _is_tree(entry.path)),
        changes_at=min((rule.expires for rule in deciding.values() if rule.expires), default=None),
    )


def _entries(rules: Mapping[Subject, Rule]) -> Iterator[tuple[AllowedProcess, Subject]]:
    return ((entry, subject) for subject, rule in rules.items() for entry in rule.allow)


def _table(pairs: Iterator[tuple[str, Subject]]) -> Mapping[str, Subjects]:
    table: dict[str, Subjects] = {}
    for key, subject in pairs:
        table[key] = table.get(key, frozenset()) | {subject}
    return table


def _is_plain(path: str) -> bool:
    return bool(path) and not _WILDCARD.search(path)


# The kernel program compares folders as prefixes. In fnmatch a star also matches slashes, so
# "/opt/agent/*" is everything below /opt/agent at any depth.
def _is_tree(path: str) -> bool:
    return path.endswith("/*") and _is_plain(path[:-2])


# Names, plain paths and folders can be compared in the kernel; digests and other patterns cannot.
def _is_undecidable(entry: AllowedProcess) -> bool:
    return bool(entry.sha256) or bool(entry.path and not _is_plain(entry.path) and not _is_tree(entry.path))
