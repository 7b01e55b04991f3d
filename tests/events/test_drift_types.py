import pytest

from driftline.events import Drift


def test_truth_value_of_a_word_raises() -> None:
    with pytest.raises(TypeError, match="compare Drift"):
        bool(Drift.NO)
