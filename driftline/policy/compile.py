"""The blocking rules of a container, compiled for the kernel program, which decides without user space.

For each subject (binary, script, library, loader) exactly one rule decides: the first in force,
with its allow list. So the rules become a few sets of subjects and tables of allowed names and paths. An
image with several names may have one deciding rule for each; then one that blocks is enough.

The kernel program knows the name and path of a file and not its content. A rule whose allow list has
digests, or path patterns other than a folder with all below it, is therefore *undecidable* in the
kernel: the sensor decides after it has read the file, and blocks with SIGKILL if necessary.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence

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
    deciding = {subject: policy.deciding_rules(subject, now) for subject in Subject}
    rules = {subject: found for subject in Subject if (found := _blocking(deciding[subject], policy.default_action))}
    allow = {subject: _allowed_by_all(found) for subject, found in rules.items()}
    entries = [(entry, subject) for subject, found in allow.items() for entry in found]
    expiries = [rule.expires for found in deciding.values() for rule in found if rule and rule.expires]
    return Blocking(
        subjects=frozenset(rules),
        fail_closed=frozenset(s for s, found in rules.items() if any(rule and rule.fail_closed for rule in found)),
        first_process=frozenset(s for s, found in rules.items() if any(rule and rule.first_process for rule in found)),
        undecidable=frozenset(subject for subject, found in rules.items() if _is_undecidable(found)),
        relocated=frozenset(subject for entry, subject in entries if entry.relocated),
        names=_table((entry.name, subject) for entry, subject in entries if entry.name),
        paths=_table((entry.path, subject) for entry, subject in entries if _is_plain(entry.path)),
        directories=_table((entry.path[:-2], subject) for entry, subject in entries if _is_tree(entry.path)),
        changes_at=min(expiries, default=None),
    )


# The deciding rules that block, one for each name of the image; None is the default rule. A file is blocked if one
# of them blocks it.
def _blocking(deciding: Sequence[Rule | None], default: Action) -> Sequence[Rule | None]:
    return [rule for rule in deciding if (rule.action if rule else default) == Action.BLOCK]


# A file runs only if each of the rules allows it: the default rule has no allow list, and allows nothing.
def _allowed_by_all(rules: Sequence[Rule | None]) -> Sequence[AllowedProcess]:
    first, *others = (rule.allow if rule else () for rule in rules)
    return [entry for entry in first if all(entry in other for other in others)]


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


# Names, plain paths and folders can be compared in the kernel; digests and other patterns cannot. Nor can a file that
# one rule allows by its name and another one by its path.
def _is_undecidable(rules: Sequence[Rule | None]) -> bool:
    lists = {rule.allow if rule else () for rule in rules}
    if () in lists:
        return False
    return len(lists) > 1 or any(_needs_content(entry) for allow in lists for entry in allow)


def _needs_content(entry: AllowedProcess) -> bool:
    return bool(entry.sha256) or bool(entry.path and not _is_plain(entry.path) and not _is_tree(entry.path))
