from driftline import kql
from driftline.kql.rewrite.share_repeated import share_repeated

SCHEMA = {"T": {"a": "long", "s": "string"}}


def test_an_aggregation_used_twice_is_computed_once() -> None:
    sql = kql.translate("T | make-series n = count() on a from 0 to 9 step 1 by s", SCHEMA)

    assert sql.count('"aggregated_1" AS MATERIALIZED') == 1


def test_what_a_shared_plan_holds_is_left_in_it() -> None:
    # Each level of top-nested uses the rows again, and make-series the whole.
    text = "T | top-nested 2 of a by count(), top-nested of s by max(a) | make-series n = count() on a step 1 by s"
    plan = kql.compiled(text, SCHEMA).plan

    assert plan is not None
    assert share_repeated(plan) == plan
