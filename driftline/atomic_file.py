"""Files that are complete or absent, and readable by their owner only."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["replace_file"]


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file in one step with one that only its owner may read, durably; raises ``OSError``."""
    temporary = path.with_suffix(".new")
    # O_EXCL neither follows a symbolic link nor takes over the mode of a file that is there already.
    temporary.unlink(missing_ok=True)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(fd)
    temporary.replace(path)
