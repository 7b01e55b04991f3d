"""Formats of account ids per provider, and contradictory lists of accounts."""

import pytest

from driftline.policy import accounts
from driftline.policy.accounts import Provider
from driftline.policy.model import CloudScope

AZURE = "aaaaaaaa-2222-3333-4444-555555555555"
AWS = "012345678901"


def conflicts(*scopes: tuple[Provider, tuple[str, ...] | None]) -> list[tuple[tuple[str | int, ...], str]]:
    return list(accounts.conflicts([CloudScope(provider=provider, accounts=listed) for provider, listed in scopes]))


@pytest.mark.parametrize(
    ("provider", "account"),
    [
        (Provider.AZURE, AZURE),
        (Provider.AZURE, AZURE.upper()),
        (Provider.AWS, AWS),
        (Provider.GCP, "my-project-123"),
        (Provider.GCP, "example.com:my-project"),
        (Provider.ON_PREMISES, "Rack 7"),
    ],
)
def test_valid_account_ids_are_accepted(provider: Provider, account: str) -> None:
    assert conflicts((provider, (account,))) == []


@pytest.mark.parametrize(
    ("provider", "account", "expected"),
    [
        (Provider.AZURE, "my-subscription", "an Azure subscription id"),
        (Provider.AZURE, AZURE + "0", "an Azure subscription id"),
        (Provider.AWS, "12345678901", "an AWS account id"),
        (Provider.AWS, "0123-4567-8901", "an AWS account id"),
        (Provider.AWS, "٠١٢٣٤٥٦٧٨٩٠١", "an AWS account id"),
        (Provider.GCP, "123456789012", "a GCP project id"),
        (Provider.GCP, "My-Project", "a GCP project id"),
        (Provider.GCP, "short", "a GCP project id"),
        (Provider.GCP, "ends-in-", "a GCP project id"),
        (Provider.ON_PREMISES, " ", "a name of your own"),
    ],
)
def test_account_ids_of_a_wrong_format_are_refused(provider: Provider, account: str, expected: str) -> None:
    ((path, reason),) = conflicts((provider, (account,)))

    assert path == (0, "accounts", 0)
    assert reason.startswith(f"expected {expected}")


def test_a_provider_as_a_whole_and_with_accounts_is_a_conflict() -> None:
    expected = [((1, "accounts"), "cloudScope.0 is the whole of aws: expected all of it or a list")]

    assert conflicts((Provider.AWS, None), (Provider.AWS, (AWS,))) == expected


def test_a_conflict_does_not_depend_on_the_order_of_entries() -> None:
    expected = [((0, "accounts"), "cloudScope.1 is the whole of aws: expected all of it or a list")]

    assert conflicts((Provider.AWS, (AWS,)), (Provider.AWS, None)) == expected


def test_a_provider_listed_twice_as_a_whole_is_a_conflict() -> None:
    assert conflicts((Provider.AWS, None), (Provider.AZURE, None), (Provider.AWS, None)) == [
        ((2, "provider"), "the whole of aws is given twice")
    ]


def test_an_account_under_two_providers_is_a_conflict() -> None:
    assert conflicts((Provider.AWS, (AWS,)), (Provider.ON_PREMISES, ("x", AWS))) == [
        ((1, "accounts", 1), f"the account '{AWS}' is listed under aws already")
    ]


def test_azure_accounts_are_compared_case_insensitively() -> None:
    assert conflicts((Provider.AZURE, (AZURE,)), (Provider.AZURE, (AZURE.upper(),))) == [
        ((1, "accounts", 0), f"the account '{AZURE.upper()}' is listed under azure already")
    ]
