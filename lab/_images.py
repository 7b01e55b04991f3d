"""Images of the lab, built from this machine's own files by buildah, without a registry.

Each recipe writes a build context: a Containerfile and the files it adds. An image is kept under a
key made from everything it is built from (these modules, the payloads, the state of the machine's
packages), so that a second build only checks for a file.
"""

import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab._paths import DATA, locked
from lab._rootfs import Rootfs, package_files
from lab._run import LabError, run

__all__ = ["IMAGES", "Image", "build"]

HERE = Path(__file__).parent
# Payloads linked statically, so that they run in images without a libc.
STATIC_PAYLOADS = ("true", "mark", "memexec", "delexec", "fdexec", "uid", "disguise", "spawn")
LAYERS = 40
"""Number of layers of the image ``layers40``."""

# fmt: off
# Programs of the demo's shop: enough for the attack's steps, but no download tool.
WEB_PROGRAMS = frozenset((
    "bash", "cat", "chmod", "chown", "cp", "dash", "env", "head", "id", "ln", "ls", "mkdir", "mv", "ps", "rm", "sh",
    "sleep", "touch", "true",
))
# Programs that the tests use to mount, change attributes and copy files inside a container.
GLIBC_PROGRAMS = WEB_PROGRAMS | frozenset((
    "chroot", "cut", "dd", "echo", "getcap", "ldconfig", "mkfifo", "mknod", "mktemp", "mount", "pivot_root",
    "readlink", "setcap", "setpriv", "stat", "tail", "truncate", "umount", "unshare", "wc",
))
# fmt: on


@dataclass(frozen=True, slots=True)
class Image:
    """Recipe of one image."""

    reference: str
    """Reference under which containerd has the image."""
    about: str
    """Content in a few words, for ``python -m lab images``."""
    write_context: Callable[[Path], None]
    """Function that writes the build context into a directory."""


def build(name: str) -> tuple[Path, str]:
    """Build an image unless it exists; return its OCI archive and the key of its content.

    Raises ``LabError`` for an unknown name or a failed tool. Waits for other builds of the image.
    """
    if name not in IMAGES:
        raise LabError(f"no image {name!r}; there are {', '.join(IMAGES)}")
    key = _key()
    archive = DATA / "images" / f"{name}-{key}.tar"
    with locked(DATA / "images" / f"{name}.lock"):
        if not archive.exists():
            _build(IMAGES[name], archive)
            for old in archive.parent.glob(f"{name}-*.tar"):
                if old != archive:
                    old.unlink()
    return archive, key


def _build(image: Image, archive: Path) -> None:
    """Build the image with buildah and export it as an OCI archive."""
    storage = (
        "--root",
        DATA / "buildah" / "root",
        "--runroot",
        DATA / "buildah" / "run",
        "--storage-driver",
        "overlay",
    )
    with tempfile.TemporaryDirectory(dir=archive.parent) as context, locked(DATA / "buildah.lock"):
        image.write_context(Path(context))
        # chroot isolation needs no runtime; timestamp 0 makes equal inputs give equal digests.
        options = ("--isolation", "chroot", "--layers", "--timestamp", "0", "--tag", image.reference)
        run("buildah", *storage, "build", *options, context).check()
        # The archive appears under its name only when it is complete.
        partial = Path(context) / "image.tar"
        run("buildah", *storage, "push", image.reference, f"oci-archive:{partial}:{image.reference}").check()
        run("buildah", *storage, "rmi", "--all", "--force").check()
        partial.rename(archive)


# dpkg rewrites its status file whenever a package changes, so its time covers all packages.
def _key() -> str:
    """Return a key of everything that the images are built from."""
    sources = [HERE / "_images.py", HERE / "_rootfs.py", *sorted((HERE / "payloads").iterdir())]
    parts = [source.read_bytes() for source in sources]
    parts.append(str(Path("/var/lib/dpkg/status").stat().st_mtime_ns).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def _write(rootfs: Rootfs, context: Path, *instructions: str) -> None:
    """Write the build context: the root file system as a tar, and a Containerfile that adds it."""
    rootfs.write(context / "rootfs.tar")
    (context / "Containerfile").write_text("\n".join(["FROM scratch", "ADD rootfs.tar /", *instructions, ""]))


def _compile(name: str, *flags: object, to: Path) -> Path:
    """Compile a payload and return the program's path."""
    run("gcc", "-O1", "-o", to, HERE / "payloads" / f"{name}.c", *flags).check()
    return to


def _usr(rootfs: Rootfs) -> None:
    # With merged /usr these are symlinks on the machine; the image has what the machine has.
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            rootfs.link(f"/{name}", str(Path("/", name).readlink()))


def _etc(rootfs: Rootfs) -> None:
    rootfs.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/srv:/bin/sh\n", mode=0o644)
    rootfs.file("/etc/group", b"root:x:0:\nweb:x:1000:\n", mode=0o644)
    for path in ("/proc", "/sys", "/dev", "/root", "/run", "/var", "/data"):
        rootfs.directory(path)
    rootfs.directory("/tmp", mode=0o1777)


def _applets(rootfs: Rootfs) -> None:
    """Add busybox and a symlink for each of its applets."""
    source = shutil.which("busybox") or "/bin/busybox"
    rootfs.file("/bin/busybox", Path(source))
    for applet in run(source, "--list").check().stdout.decode().split():
        if applet != "busybox":
            rootfs.link(f"/bin/{applet}", "busybox")


def _payloads(rootfs: Rootfs, context: Path) -> None:
    """Add the static payloads below ``/opt/lab``."""
    for name in STATIC_PAYLOADS:
        rootfs.file(f"/opt/lab/{name}", _compile(name, "-static", to=context / name))


def _pause(context: Path) -> None:
    rootfs = Rootfs()
    rootfs.file("/pause", _compile("pause", "-static", to=context / "pause"))
    _write(rootfs, context, 'ENTRYPOINT ["/pause"]')


def _busybox(context: Path, *instructions: str) -> None:
    rootfs = Rootfs()
    _applets(rootfs)
    _etc(rootfs)
    _payloads(rootfs, context)
    rootfs.file("/opt/lab/script.sh", b'#!/bin/sh\necho "script $*"\n')
    _write(rootfs, context, 'CMD ["sleep", "infinity"]', *instructions)


def _web(context: Path) -> None:
    # Not busybox: its shell runs every applet, wget included, even without a link to it.
    rootfs = Rootfs()
    _usr(rootfs)
    _etc(rootfs)
    rootfs.host_programs(_program(name) for name in sorted(WEB_PROGRAMS))
    rootfs.file("/srv/www/index.html", b"<h1>shop</h1>\n", mode=0o644)
    _write(rootfs, context, 'CMD ["sleep", "infinity"]')


def _glibc(context: Path) -> None:
    rootfs = Rootfs()
    _usr(rootfs)
    _etc(rootfs)
    _payloads(rootfs, context)
    library = _compile("greet", "-shared", "-fPIC", "-Wl,-soname,libgreet.so", to=context / "libgreet.so")
    rootfs.file("/usr/lib/libgreet.so", library)
    rootfs.file("/opt/lab/libgreet.so", library)
    rootfs.file("/opt/lab/load", _compile("load", to=context / "load"))
    rootfs.file("/opt/lab/dynamic", _compile("dynamic", library, to=context / "dynamic"))
    rootfs.file("/opt/lab/script.sh", b'#!/bin/sh\necho "script $*"\n')
    rootfs.file("/opt/lab/script.py", b'#!/usr/bin/python3\nprint("script")\n')
    python = Path("/usr/bin/python3").resolve().name
    # The interpreter's standard library, and the libraries that its extension modules need.
    standard = [path for part in ("minimal", "stdlib") for path in package_files(f"lib{python}-{part}")]
    for path in standard:
        rootfs.host_file(path)
    extensions = [path for path in standard if re.search(r"\.so(\.|$)", path)]
    rootfs.host_programs(["/usr/bin/python3", *(_program(name) for name in sorted(GLIBC_PROGRAMS)), *extensions])
    _write(rootfs, context, 'CMD ["sleep", "infinity"]')


def _program(name: str) -> str:
    """Return the path of a program of this machine; raise ``LabError`` if it is not installed."""
    path = shutil.which(name, path="/usr/bin:/usr/sbin")
    if path is None:
        raise LabError(f"the images need {name} of this machine, which is not installed; run scripts/setup.sh")
    return path


def _layers40(context: Path) -> None:
    numbers = range(2, LAYERS + 1)
    for number in numbers:
        (context / f"layer-{number}").write_text(f"{number}\n")
    _busybox(context, *(f"COPY layer-{number} /layers/{number}" for number in numbers))


IMAGES = {
    "pause": Image("localhost/lab/pause:1", "the first process of a pod sandbox", _pause),
    "busybox": Image("localhost/lab/busybox:1", "static busybox with all applets and the payloads", _busybox),
    "web": Image("localhost/demo/web:1.0", "the demo's shop: a shell and coreutils, no wget", _web),
    "glibc": Image("localhost/lab/glibc:1", "glibc, bash, dash, python3, coreutils and the payloads", _glibc),
    "layers40": Image("localhost/lab/layers40:1", f"busybox in {LAYERS} layers", _layers40),
}
