"""Virtual machine with a Debian kernel, for programs that this machine's kernel refuses.

The machine boots into this machine's files, read-only below an overlay in memory. It is emulated,
because nested virtualization is rarely available: expect a tenth of the speed.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from lab._paths import DATA, locked
from lab._run import LabError, run

__all__ = ["run_in_vm"]

KERNEL = "linux-image-amd64"
# In load order: each module needs earlier ones.
MODULES = (
    "drivers/virtio/virtio_ring", "drivers/virtio/virtio", "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev", "drivers/virtio/virtio_pci", "net/9p/9pnet", "net/9p/9pnet_virtio",
    "fs/netfs/netfs", "fs/fscache/fscache", "fs/9p/9p", "fs/overlayfs/overlay",
)  # fmt: skip

# The first init mounts this machine's files (9p) below an overlay and switches to it. The second one
# mounts the file systems that a node has (cgroup v2, bpffs, securityfs), runs the command and powers
# the machine off. Output and exit status have serial ports of their own, since the kernel writes
# its messages between any two bytes on the console; closing a port waits until its bytes are sent.
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
({command}) > /dev/ttyS1
echo $? > /dev/ttyS2
echo o > /proc/sysrq-trigger
sleep 60
"""


def run_in_vm(command: str, *, folder: Path, timeout: float = 300) -> str:
    """Run a shell command in ``folder`` inside the virtual machine; return its output.

    Raises ``LabError`` with the end of the console if the command fails or takes longer than
    ``timeout`` seconds.
    """
    kernel = _kernel()
    with tempfile.TemporaryDirectory(prefix="driftline-vm-") as scratch:
        initrd = _initrd(kernel, Path(scratch), command, folder)
        output, status = Path(scratch, "output"), Path(scratch, "status")
        ports = ("-serial", "stdio", "-serial", f"file:{output}", "-serial", f"file:{status}")
        console = run("qemu-system-x86_64", *_options(kernel, initrd), *ports, timeout=timeout).stdout
        printed = output.read_text(errors="replace").replace("\r", "").strip()
        if status.read_text().strip() != "0":
            said = (console.decode(errors="replace") + printed)[-4000:]
            raise LabError(f"the virtual machine failed to run {command!r}:\n{said}")
    return printed


def _options(kernel: Path, initrd: Path) -> list[object]:
    """Return the options of QEMU: machine, devices, kernel and the shared root."""
    # multidevs=remap: the root spans several devices, whose inode numbers would collide over 9p.
    share = "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"
    machine = ("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048", "-M", "q35")
    quiet = ("-display", "none", "-monitor", "none", "-no-reboot", "-nic", "none")
    image = next(kernel.glob("boot/vmlinuz-*"))
    boot = ("-kernel", image, "-initrd", initrd, "-append", "console=ttyS0 panic=-1 quiet")
    return [*machine, *quiet, *boot, "-virtfs", share]


def _initrd(kernel: Path, scratch: Path, command: str, folder: Path) -> Path:
    """Build the initial RAM disk: busybox, the kernel modules and both init scripts."""
    tree = scratch / "tree"
    (tree / "modules").mkdir(parents=True)
    shutil.copy("/bin/busybox", tree / "busybox")
    for module in MODULES:
        (found,) = kernel.glob(f"lib/modules/*/kernel/{module}.ko")
        shutil.copy(found, tree / "modules")
    names = " ".join(Path(module).name for module in MODULES)
    _write(tree / "vm-init", SECOND_INIT.format(folder=folder, command=command))
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


# The kernel package is unpacked only, not installed: this machine boots another kernel.
def _kernel() -> Path:
    """Download and unpack Debian's newest kernel unless that is done; return its directory."""
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
    """Return the first package that ``package`` depends on: the versioned kernel of a meta package."""
    found = run("apt-cache", "depends", "--important", package).check().stdout.decode()
    names = [line.split()[-1] for line in found.splitlines() if line.strip().startswith("Depends:")]
    if not names:
        raise LabError(f"apt has no package {package}")
    return names[0]
