from driftline import kql

SCHEMA = {"T": {"a": "long", "s": "string"}}


def test_shared_plans_within_shared_plans_are_kept() -> None:
    # Each level of top-nested uses the rows again, and make-series its bins.
    text = "T | top-nested 2 of a by count(), top-nested of s by max(a) | make-series n = count() on a step 1 by s"

    assert '"bins" AS MATERIALIZED' in kql.translate(text, SCHEMA)


def test_a_chain_of_materialized_tables_has_one_expression_each() -> None:
    lets = "".join(f"let m{n} = materialize(union m{n - 1}, m{n - 1}); " for n in range(1, 35))

    sql = kql.translate(f"let m0 = materialize(T | where a > 1); {lets}m34 | summarize count()", SCHEMA)

    assert sql.count("AS MATERIALIZED") == 34  # that of the last let, which is used once, is inlined
