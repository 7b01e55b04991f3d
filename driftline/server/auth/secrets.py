"""Secrets of personal tokens, sessions and the first setup.

A secret has 256 random bits, so its plain SHA-256 digest can be stored: it cannot be found by guessing. A slow
hash such as argon2 is needed only for passwords, which people choose, and would be too slow for every request.
"""

from __future__ import annotations

import hashlib
import secrets

__all__ = ["PREFIX", "digest", "new_secret"]

PREFIX = "dltk_"
"""Start of every secret, by which secret scanners recognise a leaked one."""


def new_secret() -> str:
    """Return a new secret; it is shown once and only its digest is stored."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return the SHA-256 digest of a secret in hexadecimal, as it is stored and looked up."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
