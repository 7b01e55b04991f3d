"""Password hashes."""

from __future__ import annotations

import pytest

from driftline.errors import InvalidInput
from driftline.server.auth.passwords import check_password, hash_password


def test_only_the_right_password_matches() -> None:
    hashed = hash_password("a long password")

    assert (check_password(hashed, "a long password"), check_password(hashed, "another")) == (True, False)


def test_the_hash_is_argon2id() -> None:
    assert hash_password("a long password").startswith("$argon2id$")


def test_an_empty_hash_matches_no_password() -> None:
    assert not check_password("", "a password that nobody has")


@pytest.mark.parametrize("password", ["short", "x" * 1025])
def test_passwords_of_invalid_length_are_refused(password: str) -> None:
    with pytest.raises(InvalidInput, match="expected 12 to 1024"):
        hash_password(password)
