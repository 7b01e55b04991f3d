"""Passwords and tokens from a terminal or a pipe, never from the command line, where other users can see them."""

from __future__ import annotations

import getpass
import sys

__all__ = ["read_secret"]


def read_secret(prompt: str) -> str:
    """Return a secret: typed without echo at a terminal, else the next line of standard input.

    ``prompt`` is shown at a terminal only. The end of the input gives an empty text.
    """
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
