"""gRPC connection to the container runtime's socket.

Every unary call has a deadline, and every gRPC error becomes an error of ``driftline.errors``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import grpc
from cri_api.v1 import api_pb2

from driftline.cluster import _schema
from driftline.errors import ContainerNotFound, RuntimeUnavailable

__all__ = ["KNOWN_SOCKETS", "Channel", "Unsupported", "find_socket"]

# In the order in which they are tried: the default of each distribution.
KNOWN_SOCKETS = (
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
RPC_SECONDS = 5.0  # deadline of a unary call
CRI = "runtime.v1"  # protobuf package of CRI v1 (k8s.io/cri-api/pkg/apis/runtime/v1)
OPTIONS = [
    # By default gRPC sends the socket's path as the authority, which Go servers refuse (grpc/grpc-go#2628).
    ("grpc.default_authority", "localhost"),
    # Lists of a node with hundreds of pods exceed the default of 4 MiB; containerd's own limit is 16 MiB.
    ("grpc.max_receive_message_length", 64 << 20),
    # The client reconnects to a restarted runtime within two seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5000),  # despite its name: the longest time of one attempt
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.enable_http_proxy", 0),
]


class Unsupported(RuntimeUnavailable):
    """The runtime answers, but does not implement the service (gRPC status UNIMPLEMENTED)."""


def find_socket() -> str:
    """Return the first known socket that exists.

    Raises ``RuntimeUnavailable`` listing all known sockets if none exists.
    """
    for path in KNOWN_SOCKETS:
        if _is_socket(path):
            return path
    raise RuntimeUnavailable(
        f"no container runtime found at {', '.join(KNOWN_SOCKETS)}; start one, or give the path of its socket"
    )


def _is_socket(path: str) -> bool:
    try:
        return Path(path).is_socket()
    except PermissionError:
        return False


class Channel:
    """Connection to the runtime's socket at ``path``.

    It connects with the first call, and reconnects when the connection is lost. ``timeout`` is the
    deadline of each unary call in seconds. Methods raise ``ContainerNotFound`` for gRPC status
    NOT_FOUND, ``Unsupported`` for UNIMPLEMENTED, ``RuntimeUnavailable`` for every other failure. Safe
    to use from several threads.
    """

    def __init__(self, path: str, *, timeout: float = RPC_SECONDS) -> None:
        self.path = path
        self._timeout = timeout
        self._channel = grpc.insecure_channel(f"unix:{path}", options=OPTIONS)
        self._methods: dict[str, Any] = {}

    def close(self) -> None:
        self._channel.close()

    def cri(self, service: str, method: str, **fields: Any) -> Any:
        """Call a CRI method and return its response, as in ``cri("RuntimeService", "ListContainers")``.

        ``fields`` are the fields of the request message.
        """
        path = f"{CRI}.{service}/{method}"
        request = getattr(api_pb2, f"{method}Request")(**fields)
        answer = getattr(api_pb2, f"{method}Response")
        return self._call(path, request, answer)

    def cri_events(self) -> Iterator[Any]:
        """Stream CRI container events (``GetContainerEvents``) until the channel is closed."""
        path = f"{CRI}.RuntimeService/GetContainerEvents"
        return self._stream(path, api_pb2.GetEventsRequest(), api_pb2.ContainerEventResponse, timeout=None)

    def containerd(self, method: str, *, namespace: str = "", **fields: Any) -> Any:
        """Call a method of containerd's own API, named as in ``_schema.METHODS``.

        ``namespace`` is the containerd namespace; empty only for methods that span all namespaces.
        """
        request, answer = _schema.METHODS[method]
        return self._call(method, _schema.message(request)(**fields), _schema.message(answer), _metadata(namespace))

    def containerd_stream(
        self, method: str, *, namespace: str = "", timeout: float | None = RPC_SECONDS, **fields: Any
    ) -> Iterator[Any]:
        """Stream the responses of a method of containerd's own API.

        ``timeout`` limits the whole stream in seconds; ``None`` means no limit.
        """
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
        # ``cancel`` in the end: a consumer that stops early must not leave the stream open.
        answers = method(request, timeout=timeout, metadata=metadata)
        try:
            yield from answers
        except grpc.RpcError as error:
            self._translate(path, error)
        finally:
            answers.cancel()

    def _translate(self, path: str, error: Any) -> NoReturn:
        code, message = error.code(), f"{path}: {error.details()}"
        if code is grpc.StatusCode.NOT_FOUND:
            raise ContainerNotFound(message) from error
        if code is grpc.StatusCode.UNIMPLEMENTED:
            raise Unsupported(message) from error
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise RuntimeUnavailable(
                f"the container runtime at {self.path} did not answer within {self._timeout:g} s ({path}); "
                "if this persists, restart it"
            ) from error
        if code is grpc.StatusCode.UNAVAILABLE:
            raise RuntimeUnavailable(
                f"no container runtime listens at {self.path}; start it, or give the path of its socket "
                f"({error.details()})"
            ) from error
        raise RuntimeUnavailable(f"the container runtime at {self.path} refused {message}") from error


# containerd reads the namespace from this header (containerd pkg/namespaces/grpc.go).
def _metadata(namespace: str) -> tuple[tuple[str, str], ...]:
    return (("containerd-namespace", namespace),) if namespace else ()
