"""Join tokens as text."""

from __future__ import annotations

import pytest

from driftline.errors import InvalidInput
from driftline.wire.protocol import JoinToken


@pytest.mark.parametrize("fingerprint", ["", "0" * 64])
def test_token_round_trips_through_its_text(fingerprint: str) -> None:
    token = JoinToken.make(fingerprint)

    assert JoinToken.parse(f" {token.text()}\n") == token


@pytest.mark.parametrize(
    "text",
    ["", "dlj1", "dlj1.x.y.z", JoinToken.make("").text() + "0"],
    ids=["empty", "prefix", "no hexadecimals", "long"],
)
def test_malformed_token_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        JoinToken.parse(text)
    assert str(caught.value) == "not a join token; expected the complete text dlj1.ID.SECRET.FINGERPRINT"
