"""``geo_info_from_ip_address`` reads the file in MaxMind's format that the user supplies."""

from __future__ import annotations

import json
from pathlib import Path

import netaddr
import pytest
from mmdb_writer import MMDBWriter

from driftline import errors
from driftline.store.udf import geoip
from tests.clickhouse_engine import hunt_without_tables

SYDNEY = {
    "country": {"names": {"en": "Australia", "de": "Australien"}},
    "subdivisions": [{"names": {"en": "New South Wales"}}],
    "city": {"names": {"en": "Sydney"}},
    "location": {"latitude": -33.8715, "longitude": 151.2006},
}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type="GeoLite2-City")
    writer.insert_network(netaddr.IPSet(["20.53.203.0/24"]), SYDNEY)
    writer.insert_network(netaddr.IPSet(["2a03:2880::/32"]), {"country": {"names": {"en": "Ireland"}}})
    path = tmp_path / "city.mmdb"
    writer.to_db_file(str(path))
    monkeypatch.setenv(geoip.VARIABLE, str(path))
    return path


@pytest.mark.usefixtures("database")
def test_a_hunt_gets_the_place_of_an_address() -> None:
    found = hunt_without_tables("print p = geo_info_from_ip_address('20.53.203.50')", "duckdb").to_pylist()

    place = {"country": "Australia", "state": "New South Wales", "city": "Sydney"}
    assert json.loads(found[0]["p"]) == place | {"latitude": -33.8715, "longitude": 151.2006}


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("2a03:2880:f12c:83:face:b00c::25de", '{"country":"Ireland"}'),
        ("8.8.8.8", None),
        ("no address", None),
        ("", None),
    ],
)
def test_fields_that_the_file_lacks_are_left_out(address: str, place: str | None) -> None:
    assert geoip.place_of(address) == place


def test_without_a_file_the_hunt_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(geoip.VARIABLE, raising=False)

    with pytest.raises(errors.StoreError, match="set DRIFTLINE_GEOIP to its path"):
        hunt_without_tables("print geo_info_from_ip_address('1.2.3.4')", "duckdb")


def test_a_file_of_another_format_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "text.mmdb"
    path.write_text("no database")
    monkeypatch.setenv(geoip.VARIABLE, str(path))

    with pytest.raises(errors.InvalidInput, match="DRIFTLINE_GEOIP names no file in MaxMind's format"):
        geoip.place_of("1.2.3.4")
