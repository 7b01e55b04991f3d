import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.printable import escape_unprintable, printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("/tmp/a b é 本".encode(), "/tmp/a b é 本"),
        (b"/tmp/a\nb\x1b[31m", r"/tmp/a\nb\x1b[31m"),
        (b"/tmp/\xff\xfe", r"/tmp/\xff\xfe"),
        ("/tmp/\u202egpj.exe".encode(), r"/tmp/\u202egpj.exe"),
        (b"/tmp/\\n`", r"/tmp/\\n\`"),
        (b"", ""),
    ],
)
def test_hostile_names_are_escaped(name: bytes, shown: str) -> None:
    assert printable(name) == shown


def test_a_long_name_is_shortened_in_the_middle_with_its_length() -> None:
    shown = printable(b"/" + b"a" * 4094 + b"z", 20)

    assert shown == f"/{'a' * 9}…{'a' * 9}z (4096 bytes)"


@given(st.binary())
def test_every_name_is_one_printable_line(name: bytes) -> None:
    assert printable(name).isprintable()


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_different_short_names_look_different(one: bytes, other: bytes) -> None:
    assert (printable(one) == printable(other)) == (one == other)


def test_escape_unprintable_keeps_backslashes_and_escapes_control_characters() -> None:
    assert escape_unprintable("a\n\x1b\u202e\\`") == "a\\n\\x1b\\u202e\\`"
