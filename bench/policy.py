"""Time of a policy decision in user space.

Run: ``python -m bench.policy``. Times are medians. "Exec" is the cost of every drifted execution,
when the rules of its container are known. "Container" is the cost of a new container, paid once.
Policies have the maximum of 1,000 rules, and ten times as many, which loading refuses. All rules but
the last are skipped for the reason in the line; the last has an allow list of 200 paths, none of
which matches. The ratio is the saving of determining a container's rules once.
"""

from __future__ import annotations

import datetime
import statistics
import time
from collections.abc import Callable, Mapping

from driftline import policy
from driftline.events import Action, Container, Content, Drift, Origin, Subject, Verdict
from driftline.policy import NodeLocation, Policy, Rule
from driftline.policy.model import AllowedProcess, Condition, Operator, ResourceField

NOW = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
EXPIRED = NOW - datetime.timedelta(days=1)
WEB = Container(
    id="1", name="web", namespace="shop", pod="web-6d4cf56db6-x7k2p", pod_labels={"app": "web"}, image="shop/web:1"
)
PLACE = NodeLocation(cluster="c", cloud="aws", account="012345678901")
VERDICT = Verdict(
    subject=Subject.BINARY,
    origin=Origin.WRITABLE_LAYER,
    content=Content.ADDED,
    drift=Drift.YES,
    reason="",
    path=b"/opt/agent/bin/update-helper",
    sha256="ab" * 32,
)
AIM_US = 50.0


def condition(operator: Operator, *values: str, field: ResourceField = ResourceField.POD_NAME) -> Condition:
    """Return a condition on the pod's name, or on another field."""
    return Condition(field=field, operator=operator, values=values)


OTHERS: Mapping[str, Callable[[int], Rule]] = {
    "another subject": lambda n: rule(n, subjects=(Subject.SCRIPT,)),
    "expired": lambda n: rule(n, expires=EXPIRED + datetime.timedelta(seconds=n)),
    "another namespace": lambda n: rule(
        n, resource_scope=(condition(Operator.EQUALS, f"team-{n}", field=ResourceField.NAMESPACE),)
    ),
    "another pod by glob": lambda n: rule(n, resource_scope=(condition(Operator.GLOB, f"api-{n}-*-?????"),)),
    "another pod by regex": lambda n: rule(n, resource_scope=(condition(Operator.REGEX, f"api-{n}-[a-z0-9-]+"),)),
}


def rule(number: int, **more: object) -> Rule:
    """Return an alert rule with priority ``number``."""
    facts: dict[str, object] = {"name": f"r{number}", "priority": number, "action": Action.ALERT}
    return Rule.model_validate(facts | more)


def made(count: int, other: Callable[[int], Rule]) -> Policy:
    """Make a policy of ``count`` rules, bypassing the check of the maximum."""
    allow = tuple(AllowedProcess(path=f"/opt/{number}/*") for number in range(200))
    return Policy.model_construct(rules=(*map(other, range(1, count)), rule(count, allow=allow)))


def microseconds(run: Callable[[], object], *, repeat: int) -> float:
    """Return the median microseconds of ``repeat`` runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter_ns()
        run()
        times.append((time.perf_counter_ns() - start) / 1000)
    return statistics.median(times)


def main() -> None:
    """Print decision and scope times for each reason why rules are skipped."""
    print(f"{'rules':>6}  {'passed over for':22} {'exec':>10} {'container':>12} {'ratio':>6}")
    for count in (1000, 10_000):
        for reason, other in OTHERS.items():
            whole = made(count, other)
            rules = policy.rules_for(whole, WEB, PLACE)
            decide = microseconds(lambda rules=rules: rules.decide(VERDICT, process_name="x", now=NOW), repeat=2000)  # type: ignore[misc] # bound at once
            scope = microseconds(lambda whole=whole: policy.rules_for(whole, WEB, PLACE), repeat=20)  # type: ignore[misc] # bound at once
            told = "" if decide <= AIM_US else f"  missed: {AIM_US:.0f} us"
            print(f"{count:6}  {reason:22} {decide:7.1f} us {scope / 1000:9.2f} ms {scope / decide:6.0f}{told}")


if __name__ == "__main__":
    main()
