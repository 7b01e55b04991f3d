from driftline import kql

SCHEMA = {"T": {"a": "long", "s": "string"}}


def test_shared_plans_within_shared_plans_are_kept() -> None:
    # Each level of top-nested uses the rows again, and make-series its bins.
    text = "T | top-nested 2 of a by count(), top-nested of s by max(a) | make-series n = count() on a step 1 by s"

    assert '"bins" AS MATERIALIZED' in kql.translate(text, SCHEMA)
