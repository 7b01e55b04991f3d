"""One connection to the container runtime's socket: every call has a deadline, every failure is ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import grpc
from cri_api.v1 import api_pb2

from driftline.cluster import _schema
from driftline.errors import ContainerNotFound, RuntimeUnavailable

__all__ = ["USUAL_SOCKETS", "Channel", "Unsupported", "find_socket"]

USUAL_SOCKETS = (
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",  # k3s, RKE2
    "/run/k0s/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
    "/run/crio/crio.sock",
    "/var/run/crio/crio.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/cri-dockerd.sock",
    "/run/dockershim.sock",
)
RPC_SECONDS = 5.0
CRI = "runtime.v1"
OPTIONS = [
    # gRPC would send the socket's path as the authority, which Go servers refuse (grpc/grpc-go#2628).
    ("grpc.default_authority", "localhost"),
    # A node of hundreds of pods answers lists beyond the default of 4 MiB; containerd's own limit is 16.
    ("grpc.max_receive_message_length", 64 << 20),
    # A restarted runtime is found again within two seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5000),  # by its name no wait, but the time one attempt may take
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.enable_http_proxy", 0),
]


class Unsupported(RuntimeUnavailable):
    """The runtime answers, but has no such service."""


def find_socket() -> str:
    """Give the first of the usual sockets that is there; raises ``RuntimeUnavailable`` naming them all."""
    for path in USUAL_SOCKETS:
        if _is_socket(path):
            return path
    raise RuntimeUnavailable(
        f"no container runtime found at {', '.join(USUAL_SOCKETS)}; start one, or give the path of its socket"
    )


def _is_socket(path: str) -> bool:
    try:
        return Path(path).is_socket()
    except PermissionError:
        return False


class Channel:
    """A connection to the socket at ``path``; it is made with the first call, and anew when lost."""

    def __init__(self, path: str, *, timeout: float = RPC_SECONDS) -> None:
        self.path = path
        self._timeout = timeout
        self._channel = grpc.insecure_channel(f"unix:{path}", options=OPTIONS)
        self._methods: dict[str, Any] = {}

    def close(self) -> None:
        self._channel.close()

    def cri(self, service: str, method: str, **fields: Any) -> Any:
        """Call CRI, as ``cri("RuntimeService", "ListContainers")``."""
        path = f"{CRI}.{service}/{method}"
        request = getattr(api_pb2, f"{method}Request")(**fields)
        answer = getattr(api_pb2, f"{method}Response")
        return self._call(path, request, answer)

    def cri_events(self) -> Iterator[Any]:
        """Stream CRI's container events without end."""
        path = f"{CRI}.RuntimeService/GetContainerEvents"
        return self._stream(path, api_pb2.GetEventsRequest(), api_pb2.ContainerEventResponse, timeout=None)

    def containerd(self, method: str, *, namespace: str = "", **fields: Any) -> Any:
        """Call containerd's own API; a namespace is needed but for what spans them."""
        request, answer = _schema.METHODS[method]
        return self._call(method, _schema.message(request)(**fields), _schema.message(answer), _metadata(namespace))

    def containerd_stream(
        self, method: str, *, namespace: str = "", timeout: float | None = RPC_SECONDS, **fields: Any
    ) -> Iterator[Any]:
        """Stream answers of containerd's own API; ``timeout`` is for the whole stream, ``None`` for no end."""
        request, answer = _schema.METHODS[method]
        made = _schema.message(request)(**fields)
        return self._stream(method, made, _schema.message(answer), _metadata(namespace), timeout=timeout)

    def _call(self, path: str, request: Any, answer: Any, metadata: Any = ()) -> Any:
        method = self._methods.get(path) or self._methods.setdefault(
            path,
            self._channel.unary_unary(
                f"/{path}", request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
            ),
        )
        try:
            return method(request, timeout=self._timeout, metadata=metadata)
        except grpc.RpcError as error:
            self._translate(path, error)

    def _stream(
        self, path: str, request: Any, answer: Any, metadata: Any = (), *, timeout: float | None
    ) -> Iterator[Any]:
        method = self._channel.unary_stream(
            f"/{path}", request_serializer=type(request).SerializeToString, response_deserializer=answer.FromString
        )
        answers = method(request, timeout=timeout, metadata=metadata)
        try:
            yield from answers
        except grpc.RpcError as error:
            self._translate(path, error)
        finally:
            answers.cancel()

    def _translate(self, path: str, error: Any) -> NoReturn:
        code, said = error.code(), f"{path}: {error.details()}"
        if code is grpc.StatusCode.NOT_FOUND:
            raise ContainerNotFound(said) from error
        if code is grpc.StatusCode.UNIMPLEMENTED:
            raise Unsupported(said) from error
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise RuntimeUnavailable(
                f"the container runtime at {self.path} did not answer within {self._timeout:g} s ({path}); "
                "if it stays so, restart it"
            ) from error
        if code is grpc.StatusCode.UNAVAILABLE:
            raise RuntimeUnavailable(
                f"no container runtime listens at {self.path}; start it, or give the path of its socket "
                f"({error.details()})"
            ) from error
        raise RuntimeUnavailable(f"the container runtime at {self.path} refused {said}") from error


def _metadata(namespace: str) -> tuple[tuple[str, str], ...]:
    return (("containerd-namespace", namespace),) if namespace else ()
