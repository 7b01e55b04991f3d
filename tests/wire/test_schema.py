"""Arrow schemas agree with the records."""

from driftline.events import TABLES
from driftline.wire.schema import DYNAMIC, SCHEMAS


def test_every_table_has_its_columns_in_order() -> None:
    assert {name: schema.names for name, schema in SCHEMAS.items()} == {
        name: [column.name for column in table.columns] for name, table in TABLES.items()
    }


def test_dynamic_columns_are_named() -> None:
    assert DYNAMIC["CloudProcessEvents"] == ("AdditionalFields", "PodLabels")
