"""Repositories and digests of image references."""

import pytest

from driftline.policy.image_reference import digest_forms, repository

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("nginx", "nginx"),
        ("nginx:1.25", "nginx"),
        ("shop/web:1", "shop/web"),
        ("registry.example:5000/web", "registry.example:5000/web"),
        ("registry.example:5000/web:1", "registry.example:5000/web"),
        (f"ghcr.io/a/b:1@{DIGEST}", "ghcr.io/a/b"),
        (DIGEST, ""),
        ("", ""),
    ],
)
def test_a_repository_is_a_reference_without_tag_and_digest(reference: str, expected: str) -> None:
    assert repository(reference) == expected


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("nginx:1", {DIGEST, f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"}),
        ("shop/web", {DIGEST, f"shop/web@{DIGEST}", f"docker.io/shop/web@{DIGEST}"}),
        ("localhost/web:1", {DIGEST, f"localhost/web@{DIGEST}"}),
        ("registry.example:5000/web:1", {DIGEST, f"registry.example:5000/web@{DIGEST}"}),
        (DIGEST, {DIGEST}),
    ],
)
def test_a_digest_is_written_alone_or_after_the_repository(reference: str, expected: set[str]) -> None:
    assert set(digest_forms(reference, DIGEST)) == expected


def test_an_unknown_digest_is_an_empty_text() -> None:
    assert digest_forms("nginx", "") == ("",)
