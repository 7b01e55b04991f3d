"""Requirements of the sensor on its machine, checked before any program is loaded."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path

from driftline.errors import UnsupportedHost

__all__ = ["check_host", "kernel_features"]

_BTF = Path("/sys/kernel/btf/vmlinux")


def _check_system() -> str:
    return "" if platform.system() == "Linux" else f"driftline's sensor needs Linux, not {platform.system()}"


def _check_machine() -> str:
    machine = platform.machine()
    return "" if machine in ("x86_64", "aarch64") else f"the sensor supports x86_64 and aarch64, not {machine}"


def _check_root() -> str:
    return "" if os.geteuid() == 0 else "the sensor must run as root (CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE)"


# The programs use BTF tracepoints and CO-RE, which need the BTF of the running kernel.
def _check_btf() -> str:
    if _BTF.exists():
        return ""
    return f"{_BTF} is missing: the kernel must be built with CONFIG_DEBUG_INFO_BTF=y (Linux 5.8 or newer)"


_CHECKS: tuple[Callable[[], str], ...] = (_check_system, _check_machine, _check_root, _check_btf)


def check_host() -> None:
    """Check operating system, architecture, privileges and BTF.

    Raises ``UnsupportedHost`` with one line for each requirement that the machine does not meet.
    """
    lacking = [problem for check in _CHECKS if (problem := check())]
    if lacking:
        raise UnsupportedHost("\n".join(lacking))


def kernel_features() -> dict[str, str]:
    """Return facts about the kernel, for ``driftline status``.

    Release, machine, mounted cgroup versions, active LSMs and lockdown mode; empty where the file is missing.
    """
    # cgroups(7): the v2 root has cgroup.controllers; beside v1 hierarchies systemd mounts v2 at unified/.
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    hybrid = Path("/sys/fs/cgroup/unified").is_dir()
    return {
        "release": platform.release(),
        "machine": platform.machine(),
        "cgroups": "v2" if unified else "v1 and v2" if hybrid else "v1",
        "lsm": _read(Path("/sys/kernel/security/lsm")),
        "lockdown": _read(Path("/sys/kernel/security/lockdown")),
    }


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
