"""The OpenAPI document: every endpoint is fuzzed in each role and needs credentials."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # at import, of its own dependencies
    import schemathesis
    from schemathesis.checks import not_a_server_error

from driftline import wire
from driftline.sensor.shipping import credentials
from tests.server import joining, raising, serving
from tests.server.serving import Served

EXAMPLES = 8
OPEN = {"/healthz", "/readyz", "/metrics", "/api/v1/setup", "/api/v1/login", "/api/v1/oidc/login",
        "/api/v1/oidc/callback", "/api/v1/enrol", "/api/v1/enrol/authority"}  # fmt: skip
LOGS_OUT = {"/api/v1/logout", "/api/v1/password"}
ENDLESS = {"/api/v1/alerts/stream", "/api/v1/events/stream"}


@schemathesis.serializer(wire.CONTENT_TYPE)
def batch(_: object, value: object) -> bytes:
    """Any value as a batch; small batches that are nearly valid are made by ``bench.fuzz_wire``."""
    return value if isinstance(value, bytes) else repr(value).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("server")
    raising.store(directory / "store", [raising.alert(cluster=cluster) for cluster in ("eu", "us")])
    with serving.serve(directory, "--set", "hunt_seconds=1", "--set", "hunts_at_once=8", sensors=True) as running:
        for name in ("default", "eu"):
            running.admin.put(f"/policies/{name}", json={"text": "rules: []\n"})
        serving.wait_until(lambda: running.admin.get("/alerts").json()["items"])
        yield running


@pytest.fixture(scope="module")
def document(served: Served) -> dict[str, Any]:
    return dict(served.admin.get("/openapi.json").json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


# Schemathesis draws some of its cases by chance of its own.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ["nobody", "viewer", "analyst", "admin", "sensor"])
def test_fuzzed_requests_are_no_internal_errors(
    served: Served, document: dict[str, Any], role: str, tmp_path: Path
) -> None:
    client = served.anonymous() if role in ("nobody", "sensor") else served.user(f"fuzz-{role}", role, ["eu"])
    transport: dict[str, Any] = {"headers": dict(client.headers), "verify": str(served.data / "pki" / "ca.pem")}
    if role == "sensor":
        token = joining.join_token(served, "eu")
        transport["cert"] = str(credentials.enrol(tmp_path, served.url, token=token, node="n1").certificate)
    alerts = served.admin.get("/alerts", params={"cluster": "eu", "suppressed": True}).json()["items"]
    real = {"alert_id": alerts[0]["id"], "name": "eu", "version": 1}
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=served.url)
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr] # a schema that is none fails here
        if operation.path in LOGS_OUT | ENDLESS:
            continue

        fuzz(operation.as_strategy(), transport, real)


def fuzz(cases: Any, transport: dict[str, Any], real: dict[str, Any]) -> None:
    """Send each case as it was made up, and again to what is there."""

    @settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def send(case: Any) -> None:
        if "wait" in (case.query or {}):
            case.query["wait"] = 0
        case.call_and_validate(**transport, checks=(not_a_server_error,))
        there = {name: value for name, value in real.items() if name in case.path_parameters}
        if there:
            case.path_parameters.update(there)
            case.call_and_validate(**transport, checks=(not_a_server_error,))

    send()


def test_every_endpoint_but_the_open_ones_needs_credentials(served: Served, document: dict[str, Any]) -> None:
    client = served.anonymous()

    def asks(method: str, path: str) -> bool:
        return client.request(method, f"{served.url}{path.replace('{', '').replace('}', '')}").status_code == 401

    # The callback asks, too: for the browser that began.
    open_ones = {path for path, method, _ in operations(document) if not asks(method, path)}
    assert open_ones == OPEN - {"/api/v1/oidc/callback"}


def test_every_endpoint_has_a_description_and_problem_responses(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        assert operation.get("description"), (method, path)
        assert "application/problem+json" in operation["responses"]["400"]["content"], (method, path)


def test_operation_ids_are_unique_identifiers(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(set(ids)) == len(ids)
    assert all(each.isidentifier() for each in ids)
