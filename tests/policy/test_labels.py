"""Validation of Kubernetes label keys."""

import pytest

from driftline.policy import labels


@pytest.mark.parametrize("key", ["app", "a", "A.b_c-d", "x" * 63, "example.com/app", "a.b-c.d/x", "a" * 253 + "/x"])
def test_valid_label_keys_are_accepted(key: str) -> None:
    labels.check_key(key)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("-a", "a name of at most 63"),
        ("a.", "a name of at most 63"),
        ("a b", "a name of at most 63"),
        ("x" * 64, "a name of at most 63"),
        ("example.com/", "a name of at most 63"),
        ("a\n", "a name of at most 63"),
        ("/a", "prefix is a DNS name"),
        ("a..b/c", "prefix is a DNS name"),
        ("Example.com/c", "prefix is a DNS name"),
        ("a/b/c", "prefix is a DNS name"),
        ("a" * 254 + "/c", "prefix is a DNS name"),
    ],
)
def test_invalid_label_keys_are_refused_with_the_reason(key: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        labels.check_key(key)
