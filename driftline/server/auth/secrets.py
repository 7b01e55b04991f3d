"""Secrets that stand for a user.

They carry 256 random bits, so that a plain SHA-256 keeps them: nobody finds one by guessing, and
each request can afford the check (argon2 is for what people choose).
"""

from __future__ import annotations

import hashlib
import secrets

__all__ = ["PREFIX", "digest", "new_secret"]

PREFIX = "dltk_"
"""How every token begins, for scanners of leaked secrets."""


def new_secret() -> str:
    """Make a secret, to be shown once."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Give what is stored of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
