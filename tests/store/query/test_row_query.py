"""Row queries: filters, order and limit; names are checked, and values never become SQL."""

from __future__ import annotations

import pytest

from driftline.errors import InvalidInput
from driftline.store.files.database import Database
from driftline.store.query.row_query import Filter, RowQuery
from tests.store.rows import NOW, event, names, put

pytestmark = pytest.mark.timeout(240)


def test_filters_order_and_limit(database: Database) -> None:
    put(database, *(event(name) for name in "abc"))

    assert names(database, Filter("FileName", "!=", "b")) == ["a", "c"]
    assert names(database, Filter("FileName", "in", ["a", "b"])) == ["a", "b"]
    assert names(database, Filter("FileName", "contains", "B")) == ["b"]
    assert names(database, Filter("PodLabels.app", "=", "web")) == ["a", "b", "c"]
    assert names(database, Filter("Timestamp", ">", NOW.isoformat())) == []
    newest = database.select(RowQuery(table="CloudProcessEvents", order="-FileName", limit=1))
    assert newest["FileName"].to_pylist() == ["c"]


@pytest.mark.parametrize(
    "query",
    [
        RowQuery(table="duckdb_settings()"),
        RowQuery(table="CloudProcessEvents", order="1; DROP TABLE AlertInfo"),
        RowQuery(table="CloudProcessEvents", where=[Filter('"', "=", "x")]),
        RowQuery(table="CloudProcessEvents", where=[Filter("PodLabels.a') OR 1=1--", "=", "x")]),
    ],
)
def test_unknown_tables_columns_and_property_names_are_refused(database: Database, query: RowQuery) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        database.select(query)


def test_a_value_never_becomes_sql(database: Database) -> None:
    put(database, event("' OR 1=1 --"))

    assert names(database, Filter("FileName", "=", "' OR 1=1 --")) == ["' OR 1=1 --"]
    assert names(database, Filter("FileName", "=", "x' OR '1'='1")) == []
