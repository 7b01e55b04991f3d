"""The JSON schema and the custom resource definition of policies."""

from collections.abc import Iterator
from typing import Any

from driftline.policy import schema
from driftline.policy.model import Policy

# The OpenAPI keywords that a structural schema may have, as far as they are used here:
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


def test_the_resource_has_only_keywords_of_a_structural_schema() -> None:
    assert {key for node in nodes(root()) for key in node} <= LEGAL


def test_arrays_have_items_and_objects_have_properties() -> None:
    for node in nodes(at("spec")):
        assert ("items" in node) == (node["type"] == "array")
        assert ("properties" in node) == (node["type"] == "object")


def test_required_properties_exist() -> None:
    for node in nodes(root()):
        assert set(node.get("required", ())) <= set(node.get("properties", {}))


def test_a_key_of_a_map_list_is_required() -> None:
    rules = at("spec", "rules")

    assert set(rules["x-kubernetes-list-map-keys"]) <= set(rules["items"]["required"])


def test_the_resource_has_all_fields_of_the_model() -> None:
    model = Policy.model_json_schema(by_alias=True)

    assert set(at("spec")["properties"]) == set(model["properties"])
    assert set(at("spec", "rules", "*")["properties"]) == set(model["$defs"]["Rule"]["properties"])


def test_a_field_keeps_its_limits_and_description() -> None:
    assert at("spec", "rules", "*", "priority") == {
        "description": "Rules are evaluated from the lowest number to the highest; unique in the policy",
        "type": "integer",
        "minimum": 1,
        "maximum": 1_000_000,
    }


def test_empty_defaults_are_left_out() -> None:
    assert "default" not in at("spec", "rules", "*", "allow", "*", "path")
    assert at("spec", "rules", "*", "enabled")["default"] is True


def test_the_resource_is_named_after_its_plural_and_group() -> None:
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


def test_every_reference_of_the_json_schema_resolves() -> None:
    found = schema.json_schema()

    assert {each.removeprefix("#/$defs/") for each in references(found)} <= set(found["$defs"])


def test_the_json_schema_describes_policies_and_manifests() -> None:
    found = schema.json_schema()

    assert found["else"] == {"$ref": "#/$defs/Policy"}
    assert found["then"]["properties"]["spec"] == {"$ref": "#/$defs/Policy"}
