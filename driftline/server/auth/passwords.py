"""Passwords, hashed with argon2id.

A check takes 64 MiB and some 50 ms by design (RFC 9106's second recommendation), so only a few
run at once: a flood of logins waits instead of taking the memory.
"""

from __future__ import annotations

import threading

import argon2

from driftline.errors import InvalidInput

__all__ = ["check_password", "hash_password"]

LEAST = 12
MOST = 1024
_AT_ONCE = 2

_hasher = argon2.PasswordHasher()
_turn = threading.BoundedSemaphore(_AT_ONCE)
_nobody = _hasher.hash("a password that nobody has")


def hash_password(password: str) -> str:
    """Hash a password to store; raises ``InvalidInput`` for one too short or too long."""
    if not LEAST <= len(password) <= MOST:
        raise InvalidInput(f"password: expected {LEAST} to {MOST} characters, got {len(password)}")
    with _turn:
        return _hasher.hash(password)


def check_password(hashed: str, password: str) -> bool:
    """Tell whether a password is the one; takes as long for no hash ("") as for a wrong password."""
    with _turn:
        try:
            return _hasher.verify(hashed or _nobody, password) and bool(hashed)
        except argon2.exceptions.VerifyMismatchError:
            return False
