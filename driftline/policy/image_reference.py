"""Digests of images as conditions write them: alone, or after the repository.

A reference is ``[HOST[:PORT]/]PATH[:TAG][@DIGEST]`` (github.com/distribution/reference, "Grammar"). A name without
a host is one of Docker Hub, where a name without a slash lies in ``library/``.
"""

from __future__ import annotations

__all__ = ["digest_forms", "repository"]


def repository(reference: str) -> str:
    """Return an image reference without its tag and digest; empty for an empty reference or a digest alone."""
    name = reference.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    # An image id instead of a name: "sha256:HEX".
    if not slash and last.startswith("sha256:"):
        return ""
    return folder + slash + last.partition(":")[0]


def digest_forms(reference: str, digest: str) -> tuple[str, ...]:
    """Return the forms of an image's digest: alone, after the full repository, and after the repository as given.

    ``digest`` is ``sha256:…``; an unknown one is an empty text, the only form then.
    """
    name = repository(reference)
    if not digest or not name:
        return (digest,)
    return tuple(dict.fromkeys((digest, f"{_full(name)}@{digest}", f"{name}@{digest}")))


# The first component is a host if it has a dot or a port, or is "localhost".
def _full(name: str) -> str:
    first, slash, _ = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"
