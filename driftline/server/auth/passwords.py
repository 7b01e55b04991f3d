"""Password hashes with argon2id.

By design a check needs 64 MiB and about 50 ms (RFC 9106, section 4, second recommended option), so only two
run at the same time: many simultaneous logins wait instead of exhausting the memory.
"""

from __future__ import annotations

import threading

import argon2

from driftline.errors import InvalidInput

__all__ = ["check_password", "hash_password"]

MIN_LENGTH = 12
MAX_LENGTH = 1024  # bounds the work for a password from an unauthenticated request
_MAX_CONCURRENT = 2

_hasher = argon2.PasswordHasher()
_slots = threading.BoundedSemaphore(_MAX_CONCURRENT)
# Verified in place of a missing hash, so that the response time does not reveal whether a user exists.
_placeholder_hash = _hasher.hash("a password that no user has")


def hash_password(password: str) -> str:
    """Return the encoded hash of a password; raises ``InvalidInput`` unless it has 12 to 1,024 characters."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidInput(f"password: expected {MIN_LENGTH} to {MAX_LENGTH} characters, got {len(password)}")
    with _slots:
        return _hasher.hash(password)


def check_password(hashed: str, password: str) -> bool:
    """Return whether a password matches a hash.

    ``hashed`` is empty for an unknown user or a user without a password; the result is then ``False``, after the
    same time as for a wrong password.
    """
    with _slots:
        try:
            return _hasher.verify(hashed or _placeholder_hash, password) and bool(hashed)
        except argon2.exceptions.VerifyMismatchError:
            return False
