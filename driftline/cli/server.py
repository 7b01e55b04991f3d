"""``driftline server``: the control plane as a foreground process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cyclopts import App
from rich.filesize import decimal

from driftline.cli._shared import server_flags
from driftline.cli._shared.secret_input import read_secret
from driftline.errors import InvalidInput
from driftline.private_files import keep_private
from driftline.server import backup as backups
from driftline.server import pki, run
from driftline.server.clock import utc_now

app = App(
    name="server",
    help_epilogue="Runs until SIGINT or SIGTERM; requests in progress are completed. Each setting comes from its "
    "flag, else from the variable DRIFTLINE_SERVER_ and its name in capitals, else from the settings "
    "file, else it has its default; `driftline config show` shows the values and their sources.",
)


@app.default
def server(flags: server_flags.Flags | None = None) -> None:
    """Run the server until SIGINT or SIGTERM."""
    run.serve(server_flags.load(flags).settings)


@app.command
def backup(destination: Path, *, flags: server_flags.Flags | None = None) -> None:
    """Copy all that a server has: event store, users, alerts, policies, and the certificate authority.

    The server may run meanwhile. The authority's key is encrypted by a passphrase of at least 12 characters, from
    DRIFTLINE_PASSPHRASE, the terminal or standard input.

    Parameters
    ----------
    destination
        Directory of the copy, which must not exist yet.
    """
    settings = server_flags.load(flags).settings
    passphrase = _passphrase(repeat=True)
    keep_private()
    size = backups.back_up(
        destination.absolute(),
        url=settings.database_url,
        data=settings.data,
        store=settings.store,
        passphrase=passphrase,
    )
    print(f"{destination}: {decimal(size)}")


@app.command
def restore(source: Path, *, flags: server_flags.Flags | None = None) -> None:
    """Create the directories of a server from a backup; existing files are never overwritten.

    The passphrase is that of the backup, from DRIFTLINE_PASSPHRASE, the terminal or standard input. A server that is
    started there under the former one's name takes over its sensors.

    Parameters
    ----------
    source
        Directory that `driftline server backup` wrote.
    """
    settings = server_flags.load(flags).settings
    passphrase = _passphrase(repeat=False)
    keep_private()
    backups.restore(source, data=settings.data, store=settings.store, passphrase=passphrase)
    print(f"{settings.data}, {settings.store}: restored from {source}")


authority = App(name="authority", help="Certificate authority of the server and its sensors.")
app.command(authority)


@authority.command
def show(*, flags: server_flags.Flags | None = None) -> None:
    """Show the certificate authority, and until when a former one is trusted."""
    _print_authority(pki.open_authority(_pki_directory(flags), now=utc_now()))


@authority.command
def rotate(*, flags: server_flags.Flags | None = None) -> None:
    """Replace the certificate authority by one with a new key; the server may run meanwhile.

    The former one is trusted for 30 days more. Sensors get the new one when they renew their certificates, at most 20
    days from now.
    """
    directory = _pki_directory(flags)
    keep_private()
    _print_authority(pki.rotate(directory, now=utc_now()))


def _pki_directory(flags: server_flags.Flags | None) -> Path:
    directory = server_flags.load(flags).settings.data / "pki"
    if not (directory / "ca.pem").exists():
        raise InvalidInput(f"{directory} has no certificate authority; a server that takes in sensors makes one")
    return directory


def _print_authority(found: pki.Authority) -> None:
    print(f"fingerprint    {found.fingerprint}")
    print(f"valid until    {found.certificate.not_valid_after_utc:%Y-%m-%d}")
    if found.overlap_ends:
        print(f"former one     trusted until {found.overlap_ends:%Y-%m-%d %H:%M} UTC")


def _passphrase(*, repeat: bool) -> str:
    given = os.environ.get("DRIFTLINE_PASSPHRASE")
    if given:
        return given
    passphrase = read_secret("Passphrase of the backup: ")
    if repeat and sys.stdin.isatty() and read_secret("Again: ") != passphrase:
        raise InvalidInput("the two passphrases differ")
    return passphrase
