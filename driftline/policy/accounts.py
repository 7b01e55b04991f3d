"""Cloud accounts: the format of each provider's account ids, and contradictions in lists of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from driftline.policy._yaml import FieldPath

__all__ = ["ACCOUNTS", "AccountFormat", "Provider", "Scope", "conflicts", "normalize_account"]


class Provider(StrEnum):
    """Cloud provider of a cluster; ``on-prem`` is a cluster outside the three clouds."""

    AZURE = "azure"
    AWS = "aws"
    GCP = "gcp"
    ON_PREMISES = "on-prem"


@dataclass(frozen=True, slots=True)
class AccountFormat:
    """Format of a provider's account ids."""

    pattern: re.Pattern[str]
    """Regular expression that must match the whole id."""
    expected: str
    """The format in words, for error messages and the reference page."""


ACCOUNTS: Mapping[Provider, AccountFormat] = {
    # A GUID: https://learn.microsoft.com/azure/azure-portal/get-subscription-tenant-id
    Provider.AZURE: AccountFormat(
        re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        "an Azure subscription id, a GUID like 11111111-2222-3333-4444-555555555555",
    ),
    # 12 digits: https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html
    Provider.AWS: AccountFormat(re.compile("[0-9]{12}"), 'an AWS account id, 12 digits in quotes like "012345678901"'),
    # https://cloud.google.com/resource-manager/docs/creating-managing-projects
    # The optional prefix is that of a domain-scoped project: example.com:my-project.
    Provider.GCP: AccountFormat(
        re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"),
        "a GCP project id, 6 to 30 lower-case letters, digits and hyphens like my-project-123 (not its number or name)",
    ),
    Provider.ON_PREMISES: AccountFormat(re.compile(r"\S(.*\S)?"), "a name of your own"),
}
"""Format of the account ids of each provider."""


class Scope(Protocol):
    """One entry of a rule's cloud scope: a provider, all of it or some of its accounts."""

    @property
    def provider(self) -> Provider:
        """The cloud provider."""

    @property
    def accounts(self) -> Sequence[str] | None:
        """Ids of the listed accounts; ``None`` means all accounts of the provider."""


def normalize_account(provider: Provider, account: str) -> str:
    """Return the account id in the form in which equal accounts compare equal.

    Azure subscription ids are GUIDs, whose hexadecimal digits may be upper or lower case
    (RFC 4122, section 3: case-insensitive on input). Other ids are unchanged.
    """
    return account.lower() if provider == Provider.AZURE else account


def conflicts(scopes: Sequence[Scope]) -> Iterator[tuple[FieldPath, str]]:
    """Yield the contradictions in one rule's cloud scope, as pairs of a path and a message.

    The path is relative to the cloud scope. Reported are a provider listed as a whole more than
    once, a provider listed both as a whole and with accounts, ids of a wrong format, and an account
    listed more than once. No error is raised.
    """
    whole: dict[Provider, int] = {}
    for number, scope in enumerate(scopes):
        if scope.accounts is None and whole.setdefault(scope.provider, number) != number:
            yield (number, "provider"), f"the whole of {scope.provider.value} is given twice"
    owners: dict[str, Provider] = {}
    for number, scope in enumerate(scopes):
        if scope.accounts is None:
            continue
        if scope.provider in whole:
            first = f"cloudScope.{whole[scope.provider]}"
            yield (number, "accounts"), f"{first} is the whole of {scope.provider.value}: expected all of it or a list"
        yield from _account_conflicts(number, scope, owners)


def _account_conflicts(number: int, scope: Scope, owners: dict[str, Provider]) -> Iterator[tuple[FieldPath, str]]:
    account_format = ACCOUNTS[scope.provider]
    for position, account in enumerate(scope.accounts or ()):
        path = (number, "accounts", position)
        normalized = normalize_account(scope.provider, account)
        if not account_format.pattern.fullmatch(account):
            yield path, f"expected {account_format.expected}, got {account!r}"
        elif normalized in owners:
            yield path, f"the account {account!r} is listed under {owners[normalized].value} already"
        owners.setdefault(normalized, scope.provider)
