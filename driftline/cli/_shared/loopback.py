"""Login in the browser for a command line: the browser brings a code to a port of this machine (RFC 8252, 7.3).

The code is worth nothing without the verifier, which never leaves this process (PKCE, RFC 7636): neither another
program that sees the browser's address, nor a code of another user's login that is sent to the port, is of use.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import sys
import time
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from driftline.cli._shared import http_client
from driftline.cli._shared.credentials import Credentials
from driftline.errors import Unauthenticated

__all__ = ["log_in"]

_WAIT_SECONDS = 300.0
_PAGE = b"<!doctype html><title>driftline</title><p>You are logged in on the command line. Close this page.</p>\n"


def log_in(anonymous: Credentials, *, browser: bool) -> str:
    """Return the token of a new session, after the user has logged in at the server's OpenID provider.

    The URL is printed, and with ``browser`` also opened. Raises ``NotFound`` if the server has no provider,
    ``Unauthenticated`` if nobody logs in within five minutes.
    """
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    with _Listener() as listener, http_client.connect(anonymous) as client:
        query = {"port": listener.server_port, "challenge": challenge}
        client.call("GET", "/oidc/login", **query)  # an error is shown here, not in the browser
        url = f"{anonymous.server.rstrip('/')}/api/v1/oidc/login?{urlencode(query)}"
        print(f"log in with a browser of this machine: {url}", file=sys.stderr, flush=True)
        if browser:
            webbrowser.open(url)
        session = client.call("POST", "/oidc/token", body={"code": listener.wait(), "verifier": verifier})
    return str(session["token"])


class _Listener(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.timeout = 1.0
        self.code = ""

    def wait(self) -> str:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not self.code:
            if time.monotonic() > deadline:
                raise Unauthenticated("no login within five minutes; start again")
            self.handle_request()
        return self.code


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    timeout = 5.0  # of a connection that sends nothing

    def do_GET(self) -> None:
        codes = parse_qs(urlsplit(self.path).query).get("code", [])
        self.send_response(200 if codes else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        if codes:
            self.wfile.write(_PAGE)
            self.server.code = codes[0]

    def log_message(self, *_: Any) -> None:
        """Log nothing: the address has the code."""
