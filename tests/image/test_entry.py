import pytest

from driftline.image import Kind


def test_truth_value_of_a_kind_raises() -> None:
    with pytest.raises(TypeError, match="compare a Kind"):
        bool(Kind.FILE)
