import pytest

from driftline.events import Drift


def test_the_truth_value_of_a_member_raises() -> None:
    with pytest.raises(TypeError, match="compare Drift"):
        bool(Drift.NO)
