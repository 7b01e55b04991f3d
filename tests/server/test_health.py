"""Liveness, readiness and metrics."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.server.serving import Served


def test_healthz_and_readyz_are_ok(served: Served) -> None:
    ready = httpx.get(f"{served.url}/readyz").json()

    assert httpx.get(f"{served.url}/healthz").json()["status"] == "ok"
    assert (ready["status"], ready["checks"]["state"]) == ("ok", "ok")


def test_requests_are_counted_by_route_not_by_path(served: Served) -> None:
    served.admin.get("/users/anything-a-stranger-asks")

    families = text_string_to_metric_families(httpx.get(f"{served.url}/metrics").text)

    (requests,) = [family for family in families if family.name == "driftline_http_requests"]
    routes = {sample.labels["route"] for sample in requests.samples}
    assert "/api/v1/users/{user_id}" in routes
    assert not any("anything" in route for route in routes)
