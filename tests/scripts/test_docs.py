from scripts import docs


def test_generated_pages_are_up_to_date() -> None:
    assert docs.stale() == []
