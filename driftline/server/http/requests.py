"""Reading what several endpoints take from a request: its client's address, a bearer token."""

from __future__ import annotations

from fastapi import Request

__all__ = ["bearer_token", "client_address"]


def client_address(request: Request) -> str:
    """Return the IP address that a request came from; "" if the server does not know it."""
    return request.client.host if request.client else ""


def bearer_token(authorization: str) -> str:
    """Return the token in an Authorization header (RFC 6750, section 2.1); "" for another scheme or no header."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
