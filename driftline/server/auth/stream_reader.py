"""Readers of live streams: authentication that is repeated for as long as a stream is open."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import Depends, Request

from driftline.errors import Refused
from driftline.server.auth.caller import AppAuthenticator, Authenticator, Caller, secret_of
from driftline.server.auth.roles import Permission, Principal
from driftline.server.http import sse
from driftline.server.http.parts import AppHub

__all__ = ["Reader", "StreamReader"]


class StreamReader:
    """The user who reads a stream."""

    def __init__(self, authenticator: Authenticator, secret: str, principal: Principal) -> None:
        self._authenticator = authenticator
        self._secret = secret
        self.principal = principal
        """The user as of the last authentication, with the clusters granted then."""

    async def still_allowed(self, permission: Permission) -> bool:
        """Authenticate again and update ``principal``; returns whether the user still has a permission."""
        try:
            self.principal = await anyio.to_thread.run_sync(self._authenticator.authenticate, self._secret)
            self.principal.check(permission)
        except Refused:
            return False
        return True


async def _reader(request: Request, authenticator: AppAuthenticator, hub: AppHub, caller: Caller) -> StreamReader:
    sse.check_open_streams(hub)
    return StreamReader(authenticator, secret_of(request), caller)


Reader = Annotated[StreamReader, Depends(_reader)]
"""The reader of the stream that a request opens; raises ``TooMany`` when too many streams are open."""
