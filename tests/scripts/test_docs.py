from scripts import docs


def test_reference_pages_are_what_the_code_says() -> None:
    assert docs.stale() == []
