import pytest

from driftline.errors import CorruptImage
from driftline.image import numbers


@pytest.mark.parametrize(
    ("field", "value"),
    [(b"0000644\0", 0o644), (b"    644 ", 0o644), (b"\0" * 8, 0), (b"\x80" + b"\0" * 9 + b"\x01\x02", 258)],
)
def test_reads_octal_and_base_256(field: bytes, value: int) -> None:
    assert numbers.octal(field) == value


@pytest.mark.parametrize("field", [b"0o17\0", b"1_0\0", b"-1\0", b"89\0", b"\xff" * 12, b"\x80" + b"\x7f" * 11])
def test_refuses_numbers_that_only_python_accepts(field: bytes) -> None:
    with pytest.raises(CorruptImage, match="field 'size'"):
        numbers.octal(field, "size")


@pytest.mark.parametrize("text", [b"", b"-1", b"1_0", b" 1", b"9" * 19])
def test_refuses_pax_numbers_that_are_not_plain_digits(text: bytes) -> None:
    with pytest.raises(CorruptImage, match="not a decimal number"):
        numbers.decimal(text)
