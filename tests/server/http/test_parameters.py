"""Unknown parameters and values of requests, with a server process."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from driftline.server.alerts import states
from tests.server.serving import Served


@pytest.mark.parametrize(
    ("path", "parameters", "told"),
    [
        ("/alerts", {"namespce": "x"}, "namespce: unknown parameter; expected one of "),
        ("/alerts", {"namespce": "x"}, "did you mean namespace?"),
        ("/alerts/export", {"statuss": "new"}, "did you mean status?"),
        ("/alerts", {"status": "reslved"}, "did you mean resolved?"),
        ("/alerts", {"severity": "critical"}, "expected one of Informational, Low, Medium, High; got 'critical'"),
        ("/alerts", {"classification": "false"}, "did you mean"),
        ("/alerts", {"status": ["new", "resolved"]}, "status: given 2 times; expected it once"),
        ("/whoami", {"x": "1"}, "this endpoint has no parameters"),
        ("/audit", {"user": "root"}, "unknown parameter"),
        ("/users", {"offset": "3"}, "unknown parameter"),
        ("/events/stream", {"table": "SensorHelth"}, "did you mean SensorHealth?"),
        ("/hunts/library", {"name": "x"}, "unknown parameter"),
    ],
)
def test_an_unknown_parameter_or_value_is_refused_with_the_nearest(
    served: Served, path: str, parameters: dict[str, Any], told: str
) -> None:
    answer = served.admin.get(path, params=parameters)

    assert answer.status_code == 400, answer.text
    assert told in answer.json()["detail"]


@pytest.mark.parametrize(
    "parameters",
    [{"status": "IN PROGRESS"}, {"status": "in-progress"}, {"severity": "hIGH"}, {"classification": "Benign"}]
    + [{"status": value.upper()} for value in get_args(states.Status)],
)
def test_enumerations_ignore_case(served: Served, parameters: dict[str, str]) -> None:
    assert served.admin.get("/alerts", params=parameters).status_code == 200


def test_an_empty_filter_does_not_filter(served: Served) -> None:
    assert served.admin.get("/alerts", params={"severity": "", "status": "", "cluster": ""}).status_code == 200


def test_unknown_fields_and_enumerations_of_bodies(served: Served) -> None:
    token = {"name": "t", "scopes": ["HUNT"], "days": 1}

    assert served.admin.post("/tokens", json=token).json()["scopes"] == ["hunt"]
    assert "did you mean hunt?" in served.admin.post("/tokens", json=token | {"scopes": ["hnt"]}).json()["detail"]
    assert served.admin.post("/tokens", json=token | {"dayz": 3}).status_code == 400
