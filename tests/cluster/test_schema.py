"""The hand-written schema against bytes as protobuf lays them out."""

import pytest
from google.protobuf import any_pb2, timestamp_pb2

from driftline.cluster import _schema


def test_field_numbers_decide_what_is_read() -> None:
    """types/mount.proto: type = 1, source = 2, options = 4, each length-delimited."""
    wire = b"\x0a\x07overlay\x12\x01s\x22\x02ro\x22\x01x"

    mount = _schema.message("Mount").FromString(wire)

    assert (mount.type, mount.source, list(mount.options)) == ("overlay", "s", ["ro", "x"])


def test_unknown_fields_are_skipped() -> None:
    assert _schema.message("Namespace").FromString(b"\x0a\x01n\x7a\x03new").name == "n"


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("Any", any_pb2.Any(type_url="t", value=b"v")),
        ("Time", timestamp_pb2.Timestamp(seconds=1_700_000_000, nanos=5)),
    ],
)
def test_well_known_messages_are_decoded(name: str, original: any_pb2.Any) -> None:
    copy = _schema.message(name).FromString(original.SerializeToString())

    assert copy.SerializeToString() == original.SerializeToString()


def test_every_method_has_its_request_and_response() -> None:
    assert {kind for pair in _schema.METHODS.values() for kind in pair} <= _schema.MESSAGES.keys()


def test_protobuf_has_every_field_of_the_table() -> None:
    """Each field has the number, kind and repetition of the table."""
    known = {
        name: {
            field.name: (field.number, field.message_type.name if field.message_type else "", field.is_repeated)
            for field in _schema.message(name).DESCRIPTOR.fields
        }
        for name in _schema.MESSAGES
    }

    assert known == {
        name: {field: (number, _message_name(kind), "*" in kind) for field, (number, kind) in fields.items()}
        for name, fields in _schema.MESSAGES.items()
    }


def _message_name(kind: str) -> str:
    return kind.strip("*") if kind.strip("*")[0].isupper() else ""
