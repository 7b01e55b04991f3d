"""File capabilities: the xattr ``security.capability``.

The value is a ``struct vfs_cap_data`` or, for a user namespace, a ``struct vfs_ns_cap_data`` (linux/capability.h;
capabilities(7), "File capability extended attribute versioning"). Linux sets no other value, so any other in a layer is
no capability.
"""

from __future__ import annotations

import struct

__all__ = ["XATTR", "capabilities_text", "valid_capabilities"]

XATTR = "security.capability"

_SIZES = {2: 20, 3: 24}  # bytes by VFS_CAP_REVISION
_EFFECTIVE = 1  # VFS_CAP_FLAGS_EFFECTIVE
# Permitted and inheritable of the lower 32 capabilities, then of the upper ones; little-endian on every machine.
_DATA = struct.Struct("<5I")
_ROOT_ID = struct.Struct("<20xI")
# By number: linux/capability.h
_NAMES = (
    "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
    "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
    "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
    "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
    "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
    "checkpoint_restore",
)  # fmt: skip


def valid_capabilities(value: bytes) -> bytes:
    """Return the value of an xattr ``security.capability``; b"" if Linux would refuse to set it."""
    return value if len(value) >= 4 and _SIZES.get(value[3]) == len(value) else b""


def capabilities_text(value: bytes) -> str:
    """Return capabilities as getcap(8) shows them, such as ``cap_net_raw=ep``; "" for none.

    ``value`` is as ``valid_capabilities`` returns it. Capabilities without a name are shown by number, and the root
    user id of a user namespace in brackets.
    """
    if not value:
        return ""
    flags, permitted, inheritable, *upper = _DATA.unpack_from(value)
    permitted, inheritable = permitted | upper[0] << 32, inheritable | upper[1] << 32
    effective = "e" if flags & _EFFECTIVE else ""
    groups = (
        (permitted & inheritable, f"{effective}ip"),
        (permitted & ~inheritable, f"{effective}p"),
        (inheritable & ~permitted, f"{effective}i"),
    )
    shown = [f"{_names(bits)}={letters}" for bits, letters in groups if bits] or ["="]
    root = [f"[rootid={_ROOT_ID.unpack(value)[0]}]"] if value[3] == 3 else []
    return " ".join(shown + root)


def _names(bits: int) -> str:
    numbers = (number for number in range(64) if bits >> number & 1)
    return ",".join(f"cap_{_NAMES[number]}" if number < len(_NAMES) else str(number) for number in numbers)
