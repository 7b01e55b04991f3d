"""Pods and containers, created through CRI as by kubelet, and plain ones as by ``ctr run``."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc
import msgspec
from cri_api.v1 import api_pb2, api_pb2_grpc

from lab import _containerd
from lab._paths import LabPaths
from lab._run import ExecResult, LabError, run

__all__ = ["HostMount", "LabContainer", "PlainContainer", "Pod", "Runtime", "cgroup_id"]

RPC_SECONDS = 60  # deadline of a CRI call


@dataclass(frozen=True, slots=True)
class HostMount:
    """Bind mount of a path of the machine into a container; ``volumes`` makes such paths as kubelet does."""

    host: Path | str
    """Path on the machine."""
    container: str
    """Path inside the container."""
    read_only: bool = False
    """Mount read-only."""


class Images(Protocol):
    """Source of images: builds and imports an image by its name."""

    def image(self, name: str) -> str: ...


class Runtime:
    """CRI and ``ctr`` of one containerd; every failure is a ``LabError``."""

    def __init__(self, paths: LabPaths) -> None:
        self.paths = paths
        self._channel = _containerd.open_channel(paths)
        self._runtime = api_pb2_grpc.RuntimeServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated
        self._images = api_pb2_grpc.ImageServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    def close(self) -> None:
        self._channel.close()

    def call(self, method: str, *, deadline: float = RPC_SECONDS, **fields: object) -> Any:
        """Call a method of the CRI by name, of its RuntimeService or ImageService; ``deadline`` in seconds."""
        request = getattr(api_pb2, f"{method}Request")(**fields)
        try:
            service = self._runtime if hasattr(self._runtime, method) else self._images
            return getattr(service, method)(request, timeout=deadline)
        except grpc.RpcError as error:
            raise LabError(f"{method}: {error.code().name}: {error.details()}") from error

    def ctr(self, *argv: object, namespace: str = "k8s.io", stdin: bytes = b"", timeout: float = 300) -> ExecResult:
        """Run ``ctr`` against this containerd and return its result, whatever its status."""
        address = ("--address", self.paths.socket, "--namespace", namespace)
        return run("ctr", *address, *argv, stdin=stdin, timeout=timeout)

    def remove_everything(self) -> None:
        """Remove all pods, and all plain containers of all namespaces."""
        for sandbox in self.call("ListPodSandbox").items:
            self.call("StopPodSandbox", pod_sandbox_id=sandbox.id)
            self.call("RemovePodSandbox", pod_sandbox_id=sandbox.id)
        for namespace in self.ctr("namespaces", "list", "--quiet").check().stdout.decode().split():
            for container in self.ctr("containers", "list", "--quiet", namespace=namespace).stdout.decode().split():
                PlainContainer(self, container, namespace=namespace).stop()


class Container:
    """Common part of the containers of pods and plain containers."""

    def __init__(self, runtime: Runtime, container_id: str, *, namespace: str) -> None:
        self.id = container_id
        self.runtime = runtime
        self._containerd_namespace = namespace

    @property
    def pid(self) -> int:
        """Pid of the container's first process in the machine's pid namespace."""
        raise NotImplementedError

    @property
    def cgroup_id(self) -> int:
        """Cgroup v2 id of the container, as ``bpf_get_current_cgroup_id`` returns it inside."""
        return cgroup_id(self.pid)

    @property
    def root(self) -> Path:
        """Root directory of the container, seen from the machine.

        For reading only: absolute symlinks in it lead to the machine's files.
        """
        return Path(f"/proc/{self.pid}/root")

    def exec(self, *argv: str, stdin: bytes | None = None, timeout: float = 30) -> ExecResult:
        """Run a command inside, as ``kubectl exec`` does, and wait for its end and all of its output."""
        exec_id = f"exec-{uuid.uuid4().hex[:12]}"
        task = ("task", "exec", "--exec-id", exec_id, self.id, *argv)
        return self.runtime.ctr(*task, namespace=self._containerd_namespace, stdin=stdin or b"", timeout=timeout)

    def sh(self, script: str, *, stdin: bytes | None = None, timeout: float = 30) -> ExecResult:
        """Run a shell script inside with ``/bin/sh -c``."""
        return self.exec("/bin/sh", "-c", script, stdin=stdin, timeout=timeout)


class LabContainer(Container):
    """Container of a pod."""

    def __init__(self, runtime: Runtime, container_id: str) -> None:
        super().__init__(runtime, container_id, namespace="k8s.io")

    @property
    def pid(self) -> int:
        answer = self.runtime.call("ContainerStatus", container_id=self.id, verbose=True)
        return int(msgspec.json.decode(answer.info["info"])["pid"])

    def exec(self, *argv: str, stdin: bytes | None = None, timeout: float = 30) -> ExecResult:
        # CRI's ExecSync has no stdin; ``ctr`` passes it on.
        if stdin is not None:
            return super().exec(*argv, stdin=stdin, timeout=timeout)
        seconds = max(1, round(timeout))
        answer = self.runtime.call(
            "ExecSync", deadline=seconds + 5, container_id=self.id, cmd=list(argv), timeout=seconds
        )
        return ExecResult(answer.exit_code, answer.stdout, answer.stderr)

    def wait(self, *, timeout: float = 30) -> int:
        """Wait until the container has ended; return its exit status.

        Raises ``LabError`` after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            status = self.runtime.call("ContainerStatus", container_id=self.id).status
            if status.state == api_pb2.CONTAINER_EXITED:
                return int(status.exit_code)
            time.sleep(0.01)
        raise LabError(f"container {self.id} still runs after {timeout:g} s")

    def stop(self) -> None:
        """Kill and remove the container."""
        self.runtime.call("StopContainer", container_id=self.id, timeout=0)
        self.runtime.call("RemoveContainer", container_id=self.id)


class PlainContainer(Container):
    """Container without a pod, as made by ``ctr run --detach``."""

    @property
    def pid(self) -> int:
        listed = self.runtime.ctr("task", "list", namespace=self._containerd_namespace).check().stdout.decode()
        tasks = {line.split()[0]: int(line.split()[1]) for line in listed.splitlines()[1:]}
        return tasks[self.id]

    def stop(self) -> None:
        """Kill and remove the container."""
        for command in (("task", "delete", "--force"), ("container", "delete")):
            self.runtime.ctr(*command, self.id, namespace=self._containerd_namespace)


class Pod:
    """Pod: its sandbox and the containers started in it.

    The constructor starts the sandbox. Labels, annotations and cgroup are those that kubelet gives a
    best-effort pod.
    """

    def __init__(
        self,
        runtime: Runtime,
        images: Images,
        name: str,
        *,
        namespace: str,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
    ) -> None:
        self.name, self.namespace, self.uid = name, namespace, str(uuid.uuid4())
        self._runtime, self._images = runtime, images
        runtime.paths.remember(self.cgroup_parent)
        self._config = self._sandbox_config(labels, annotations)
        self.id = str(runtime.call("RunPodSandbox", config=self._config).pod_sandbox_id)

    @property
    def cgroup_parent(self) -> str:
        """Cgroup of the pod, as kubelet's cgroupfs driver names it for a best-effort pod."""
        return f"/kubepods/besteffort/pod{self.uid}"

    def container(
        self,
        image: str = "busybox",
        *,
        name: str = "web",
        command: tuple[str, ...] = (),
        mounts: tuple[HostMount, ...] = (),
        privileged: bool = False,
    ) -> LabContainer:
        """Start a container from one of the lab's images; an empty ``command`` runs the image's own."""
        own = {"io.kubernetes.container.name": name, "io.kubernetes.container.restartCount": "0"}
        config = api_pb2.ContainerConfig(
            metadata=api_pb2.ContainerMetadata(name=name),
            image=api_pb2.ImageSpec(image=self._images.image(image)),
            command=command,
            labels={**self._names(), **own},
            mounts=[_mount(mount) for mount in mounts],
            linux=api_pb2.LinuxContainerConfig(
                security_context=api_pb2.LinuxContainerSecurityContext(
                    privileged=privileged, namespace_options=_namespaces()
                )
            ),
        )
        created = self._runtime.call(
            "CreateContainer", pod_sandbox_id=self.id, config=config, sandbox_config=self._config
        )
        self._runtime.call("StartContainer", container_id=created.container_id)
        return LabContainer(self._runtime, created.container_id)

    def remove(self) -> None:
        """Stop and remove the pod with its containers, volumes and cgroups."""
        try:
            self._runtime.call("StopPodSandbox", pod_sandbox_id=self.id)
        except LabError:  # containerd 1.6 fails once if a process ends before it is killed
            self._runtime.call("StopPodSandbox", pod_sandbox_id=self.id)
        self._runtime.call("RemovePodSandbox", pod_sandbox_id=self.id)
        _containerd.clear_cgroup(self.cgroup_parent)

    def _names(self) -> dict[str, str]:
        return {
            "io.kubernetes.pod.name": self.name,
            "io.kubernetes.pod.namespace": self.namespace,
            "io.kubernetes.pod.uid": self.uid,
        }

    def _sandbox_config(self, labels: Mapping[str, str], annotations: Mapping[str, str]) -> api_pb2.PodSandboxConfig:
        return api_pb2.PodSandboxConfig(
            metadata=api_pb2.PodSandboxMetadata(name=self.name, uid=self.uid, namespace=self.namespace),
            labels={**labels, **self._names()},
            annotations=annotations,
            linux=api_pb2.LinuxPodSandboxConfig(
                cgroup_parent=self.cgroup_parent,
                # CRI refuses privileged containers in a sandbox that is none itself.
                security_context=api_pb2.LinuxSandboxSecurityContext(namespace_options=_namespaces(), privileged=True),
            ),
        )


def cgroup_id(pid: int) -> int:
    """Return the cgroup v2 id of a process: the inode number of its cgroup directory."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    path = next(line.removeprefix("0::") for line in lines if line.startswith("0::"))
    unified = next(mount for mount in _containerd.cgroup_mounts() if (mount / "cgroup.controllers").exists())
    return (unified / path.lstrip("/")).stat().st_ino


def _mount(mount: HostMount) -> api_pb2.Mount:
    return api_pb2.Mount(host_path=str(mount.host), container_path=mount.container, readonly=mount.read_only)


def _namespaces() -> api_pb2.NamespaceOption:
    # The machine's network needs no CNI plugin, and the demo's attacker can reach its server.
    return api_pb2.NamespaceOption(network=api_pb2.NODE, pid=api_pb2.CONTAINER, ipc=api_pb2.POD)
