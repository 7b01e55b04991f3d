"""The policy model as a JSON schema for editors and as a custom resource definition for Kubernetes.

``python -m scripts.docs`` writes both to deploy/crds/; ``driftline policy schema`` and ``driftline policy
crd`` print them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from driftline.policy.load import API_VERSION, KIND
from driftline.policy.model import Policy

__all__ = ["custom_resource_definition", "json_schema"]

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TITLE = "Drift policy"


def json_schema() -> Schema:
    """Return the JSON schema (draft 2020-12) of policy files.

    A document with ``apiVersion`` or ``kind`` is a Kubernetes manifest with the policy under ``spec``; any
    other document is the policy itself.
    """
    model = Policy.model_json_schema(by_alias=True)
    definitions = model.pop("$defs")
    manifest = {
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": KIND},
            "metadata": {"type": "object"},
            "spec": {"$ref": "#/$defs/Policy"},
            "status": {"type": "object"},
        },
        "required": ["apiVersion", "kind", "spec"],
        "additionalProperties": False,
    }
    return {
        "$schema": _DIALECT,
        "title": _TITLE,
        "if": {"anyOf": [{"required": ["apiVersion"]}, {"required": ["kind"]}]},
        "then": manifest,
        "else": {"$ref": "#/$defs/Policy"},
        "$defs": {"Policy": model, **definitions},
    }


def custom_resource_definition() -> Schema:
    """Return the ``CustomResourceDefinition`` of drift policies (apiextensions.k8s.io/v1).

    Its schema is structural, so the API server validates types, limits and unique rule names. Duplicate
    priorities, contradicting accounts and invalid regular expressions are beyond a structural schema: the
    loader of the policy refuses them.
    """
    group, _, version = API_VERSION.partition("/")
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"driftpolicies.{group}"},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": "driftpolicies",
                "singular": "driftpolicy",
                "shortNames": ["dp"],
            },
            "versions": [_version(version)],
        },
    }


def _version(name: str) -> Schema:
    model = Policy.model_json_schema(by_alias=True)
    spec = _structural(model, model["$defs"])
    # A list of type "map" makes the API server refuse two rules with the same key, the name.
    spec["properties"]["rules"] |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    root = {
        "description": "Rules that decide what happens when a container drifts: the first matching rule decides.",
        "type": "object",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
        },
        "required": ["spec"],
    }
    columns = [
        {"name": "Default", "type": "string", "jsonPath": ".spec.defaultRule.action"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    return {
        "name": name,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": root},
        "additionalPrinterColumns": columns,
    }


# The keywords that a structural schema and the model's JSON schema have in common.
_KEPT = (
    "type", "format", "enum", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum",
    "required",
)  # fmt: skip
_EMPTY: tuple[Any, ...] = (None, "", [], False)


# A structural schema has a type everywhere, no references, and no additionalProperties beside properties:
# https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
# The API server drops unknown fields, or refuses them under kubectl's strict validation. Empty defaults
# are left out, because the API server would write them into every object.
def _structural(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    full = _resolved(schema, definitions)
    found = {key: copy.deepcopy(full[key]) for key in ("description", *_KEPT) if key in full}
    if full.get("default") not in _EMPTY:
        found["default"] = copy.deepcopy(full["default"])
    if "items" in full:
        found["items"] = _structural(full["items"], definitions)
    if "properties" in full:
        found["properties"] = {name: _structural(part, definitions) for name, part in full["properties"].items()}
    return found


# Replaces a reference by the definition it refers to. Keywords beside the reference win: the description
# there is about the field, the one of the definition about the type.
def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    if "anyOf" in schema:  # an optional field: a type, or null
        (present,) = (each for each in schema["anyOf"] if each.get("type") != "null")
        schema = {**present, **{key: value for key, value in schema.items() if key != "anyOf"}}
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        return _resolved({**definitions[name], **{k: v for k, v in schema.items() if k != "$ref"}}, definitions)
    return schema
