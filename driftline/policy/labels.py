"""Validation of Kubernetes label keys, ``[prefix/]name``.

The rules are those of ``IsQualifiedName`` in k8s.io/apimachinery/pkg/util/validation, described at
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set.
"""

from __future__ import annotations

import re

__all__ = ["check_key"]

# qualifiedNameMaxLength and DNS1123SubdomainMaxLength of that Kubernetes package.
MAX_NAME = 63
MAX_PREFIX = 253
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


def check_key(key: str) -> None:
    """Raise ``ValueError`` with the reason if Kubernetes refuses the label key."""
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise ValueError(
            f"expected a label key with a name of at most {MAX_NAME} letters, digits, '-', '_' and '.', "
            f"a letter or digit at either end, got {key!r}"
        )
    if slash and (not _PREFIX.fullmatch(prefix) or len(prefix) > MAX_PREFIX):
        raise ValueError(
            f"expected a label key whose prefix is a DNS name of at most {MAX_PREFIX} lower-case characters, "
            f"like example.com/{name}, got {key!r}"
        )
