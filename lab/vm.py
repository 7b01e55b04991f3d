"""A virtual machine with a kernel of Debian's, to run things on that this machine's kernel refuses.

It boots to the files of this machine, read-only, with all it writes in its memory. Emulated, for
nested virtualisation is rarely to be had: expect a tenth of the speed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from lab._place import DATA, locked
from lab._run import LabError, run

__all__ = ["run_in_vm"]

KERNEL = "linux-image-amd64"
# In the order in which they need each other.
MODULES = (
    "drivers/virtio/virtio_ring", "drivers/virtio/virtio", "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci", "net/9p/9pnet", "net/9p/9pnet_virtio",
    "fs/netfs/netfs", "fs/fscache/fscache", "fs/9p/9p", "fs/overlayfs/overlay",
)  # fmt: skip
BEGIN, END = "vm: begin", "vm: end"

# What is mounted makes the machine look like any node: cgroup v2, BPF and security file systems.
INIT = """#!/busybox sh
b=/busybox
$b mkdir -p /proc /host /rw /root
$b mount -t proc proc /proc
for module in {modules}; do $b insmod /modules/$module.ko; done
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro host /host
$b mount -t tmpfs tmpfs /rw
$b mkdir /rw/upper /rw/work
$b mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work overlay /root
$b cp /vm-init /root/vm-init
$b umount /proc
exec $b switch_root /root /bin/sh /vm-init
"""
SECOND_INIT = """
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t securityfs security /sys/kernel/security
export PATH=/usr/bin:/usr/sbin:/bin:/sbin HOME=/root PYTHONDONTWRITEBYTECODE=1
cd {folder}
echo "{begin}"
{command}
echo "{end} $?"
echo o > /proc/sysrq-trigger
sleep 60
"""


def run_in_vm(command: str, *, folder: Path, timeout: float = 300) -> str:
    """Run a shell command in ``folder``; gives what it printed. Raises ``LabError`` if it failed."""
    kernel = _kernel()
    with tempfile.TemporaryDirectory(prefix="driftline-vm-") as scratch:
        initrd = _initrd(kernel, Path(scratch), command, folder)
        said = run("qemu-system-x86_64", *_options(kernel, initrd), timeout=timeout).stdout.decode(errors="replace")
    lines = said.replace("\r", "").partition(BEGIN)[2]
    printed, _, code = lines.rpartition(END)
    if code.split()[:1] != ["0"]:
        raise LabError(f"the virtual machine did not do {command!r}:\n{said[-4000:]}")
    return printed.strip()


def _options(kernel: Path, initrd: Path) -> list[object]:
    share = "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"
    machine = ("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048", "-M", "q35")
    quiet = ("-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-nic", "none")
    image = next(kernel.glob("boot/vmlinuz-*"))
    boot = ("-kernel", image, "-initrd", initrd, "-append", "console=ttyS0 panic=-1 quiet")
    return [*machine, *quiet, *boot, "-virtfs", share]


def _initrd(kernel: Path, scratch: Path, command: str, folder: Path) -> Path:
    tree = scratch / "tree"
    (tree / "modules").mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "busybox")
    for module in MODULES:
        (found,) = kernel.glob(f"lib/modules/*/kernel/{module}.ko")
        shutil.copy(found, tree / "modules")
    names = " ".join(Path(module).name for module in MODULES)
    second = SECOND_INIT.format(folder=folder, command=command, begin=BEGIN, end=END)
    _write(tree / "vm-init", second)
    _write(tree / "init", INIT.format(modules=names))
    archive = scratch / "initrd"
    with archive.open("wb") as output:
        paths = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
        subprocess.run(
            ("cpio", "-o", "-H", "newc", "--quiet"), cwd=tree, input=paths.encode(), stdout=output, check=True
        )
    return archive


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


# Unpacked, not installed: this machine boots something else.
def _kernel() -> Path:
    name = _depends(KERNEL)
    target = DATA / "kernels" / name
    with locked(DATA / "kernels.lock"):
        if not target.exists():
            partial = target.with_suffix(".part")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            run("sh", "-c", f"cd {partial} && apt-get download -qq {name} && dpkg -x *.deb . && rm *.deb").check()
            partial.rename(target)
    return target


def _depends(package: str) -> str:
    found = run("apt-cache", "depends", "--important", package).check().stdout.decode()
    names = [line.split()[-1] for line in found.splitlines() if line.strip().startswith("Depends:")]
    if not names:
        raise LabError(f"apt knows no {package}")
    return names[0]
