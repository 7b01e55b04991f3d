"""Accounts of cloud providers: how each is written, and lists of them that contradict themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from driftline.policy._yaml import FieldPath

__all__ = ["ACCOUNTS", "AccountFormat", "Provider", "Scope", "conflicts", "normalize_account"]


class Provider(StrEnum):
    """Where a cluster runs."""

    AZURE = "azure"
    AWS = "aws"
    GCP = "gcp"
    ON_PREMISES = "on-prem"


@dataclass(frozen=True, slots=True)
class AccountFormat:
    """How a provider's accounts are written."""

    pattern: re.Pattern[str]
    expected: str


ACCOUNTS: Mapping[Provider, AccountFormat] = {
    Provider.AZURE: AccountFormat(
        re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        "an Azure subscription id, a GUID like 11111111-2222-3333-4444-555555555555",
    ),
    # https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html
    Provider.AWS: AccountFormat(re.compile("[0-9]{12}"), 'an AWS account id, 12 digits in quotes like "012345678901"'),
    # https://cloud.google.com/resource-manager/docs/creating-managing-projects; the prefix is
    # that of projects scoped to a domain
    Provider.GCP: AccountFormat(
        re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"),
        "a GCP project id, 6 to 30 lower-case letters, digits and hyphens like my-project-123 (not its number or name)",
    ),
    Provider.ON_PREMISES: AccountFormat(re.compile(r"\S(.*\S)?"), "a name of your own"),
}


class Scope(Protocol):
    """A provider with the accounts that are listed; ``None`` for the whole of it."""

    @property
    def provider(self) -> Provider:
        """The provider."""

    @property
    def accounts(self) -> Sequence[str] | None:
        """Its accounts."""


def normalize_account(provider: Provider, account: str) -> str:
    """Give the form in which two names of one account are equal: GUIDs are written in either case."""
    return account.lower() if provider == Provider.AZURE else account


def conflicts(scopes: Sequence[Scope]) -> Iterator[tuple[FieldPath, str]]:
    """Yield what contradicts itself in one rule's cloud scope, each with its path below it."""
    whole: dict[Provider, int] = {}
    for number, scope in enumerate(scopes):
        if scope.accounts is None and whole.setdefault(scope.provider, number) != number:
            yield (number, "provider"), f"the whole of {scope.provider.value} is given twice"
    owners: dict[str, Provider] = {}
    for number, scope in enumerate(scopes):
        if scope.accounts is None:
            continue
        if scope.provider in whole:
            place = f"cloudScope.{whole[scope.provider]}"
            yield (number, "accounts"), f"{place} is the whole of {scope.provider.value}: expected all of it or a list"
        yield from _account_conflicts(number, scope, owners)


def _account_conflicts(number: int, scope: Scope, owners: dict[str, Provider]) -> Iterator[tuple[FieldPath, str]]:
    form = ACCOUNTS[scope.provider]
    for position, account in enumerate(scope.accounts or ()):
        path = (number, "accounts", position)
        same = normalize_account(scope.provider, account)
        if not form.pattern.fullmatch(account):
            yield path, f"expected {form.expected}, got {account!r}"
        elif same in owners:
            yield path, f"the account {account!r} is listed under {owners[same].value} already"
        owners.setdefault(same, scope.provider)
