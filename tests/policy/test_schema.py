"""The model as JSON schema and custom resource."""

from collections.abc import Iterator
from typing import Any

from driftline.policy import schema
from driftline.policy.model import Policy

# What a structural schema may hold of OpenAPI, of the part that is used here:
# https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
LEGAL = {
    "type", "format", "description", "default", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems",
    "minimum", "maximum", "required", "properties", "items", "x-kubernetes-list-type", "x-kubernetes-list-map-keys",
}  # fmt: skip


def root() -> dict[str, Any]:
    (version,) = schema.custom_resource_definition()["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for part in (*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])):
        yield from nodes(part)


def at(*path: str) -> dict[str, Any]:
    node = root()
    for name in path:
        node = node["items"] if name == "*" else node["properties"][name]
    return node


def test_every_node_of_the_resource_has_a_type() -> None:
    assert {node.get("type") for node in nodes(root())} == {"object", "array", "string", "integer", "boolean"}


def test_the_resource_says_nothing_a_structural_schema_may_not() -> None:
    assert {key for node in nodes(root()) for key in node} <= LEGAL


def test_an_array_has_items_and_an_object_fields() -> None:
    for node in nodes(at("spec")):
        assert ("items" in node) == (node["type"] == "array")
        assert ("properties" in node) == (node["type"] == "object")


def test_what_is_required_is_there() -> None:
    for node in nodes(root()):
        assert set(node.get("required", ())) <= set(node.get("properties", {}))


def test_a_key_of_a_map_list_is_required() -> None:
    rules = at("spec", "rules")

    assert set(rules["x-kubernetes-list-map-keys"]) <= set(rules["items"]["required"])


def test_the_resource_has_the_model_s_fields() -> None:
    model = Policy.model_json_schema(by_alias=True)

    assert set(at("spec")["properties"]) == set(model["properties"])
    assert set(at("spec", "rules", "*")["properties"]) == set(model["$defs"]["Rule"]["properties"])


def test_a_field_keeps_its_limits_and_meaning() -> None:
    assert at("spec", "rules", "*", "priority") == {
        "description": "Lower numbers are asked first; no other rule has it",
        "type": "integer",
        "minimum": 1,
        "maximum": 1_000_000,
    }


def test_an_empty_default_is_not_written_into_objects() -> None:
    assert "default" not in at("spec", "rules", "*", "allow", "*", "path")
    assert at("spec", "rules", "*", "enabled")["default"] is True


def test_the_resource_is_named_for_its_group() -> None:
    found = schema.custom_resource_definition()

    assert found["metadata"]["name"] == f"{found['spec']['names']['plural']}.{found['spec']['group']}"


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from ([part["$ref"]] if isinstance(part.get("$ref"), str) else [])
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_every_reference_of_the_json_schema_leads_somewhere() -> None:
    found = schema.json_schema()

    assert {each.removeprefix("#/$defs/") for each in references(found)} <= set(found["$defs"])


def test_the_json_schema_is_of_policies_and_of_manifests() -> None:
    found = schema.json_schema()

    assert found["else"] == {"$ref": "#/$defs/Policy"}
    assert found["then"]["properties"]["spec"] == {"$ref": "#/$defs/Policy"}
