"""Completeness of the reference page."""

from driftline.policy import reference
from driftline.policy.accounts import Provider
from driftline.policy.model import Policy
from driftline.policy.operators import Operator


def test_every_field_is_on_the_page() -> None:
    schema = Policy.model_json_schema(by_alias=True)
    parts = [schema, *schema["$defs"].values()]
    fields = {name for part in parts for name in part.get("properties", {})}

    assert [name for name in fields if f"| `{name}` |" not in reference.page()] == []


def test_every_row_has_a_description() -> None:
    rows = [line.split(" | ") for line in reference.page().splitlines() if line.startswith("| `")]

    assert [row for row in rows if not row[-1].strip(" |")] == []


def test_every_operator_and_provider_is_on_the_page() -> None:
    page = reference.page()

    assert [each for each in (*Operator, *Provider) if f"| `{each.value}` |" not in page] == []


def test_every_linked_section_exists() -> None:
    page = reference.page()

    for anchor in ("rule", "default-rule", "cloud-scope", "condition", "allowed-process"):
        assert f"(#{anchor})" in page
        assert f"## {anchor.replace('-', ' ').capitalize()}\n" in page
