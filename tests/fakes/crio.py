"""Fake of the CRI runtime CRI-O, over gRPC: it answers from given records."""

import json
import queue
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from cri_api.v1 import api_pb2


class FakeCrio:
    """CRI server at a Unix socket. Put events into ``events``; ``None`` ends their stream."""

    def __init__(self, socket: Path, *, methods: dict[str, Callable[[Any], Any]] | None = None) -> None:
        self.socket = socket
        self.events: queue.Queue[Any] = queue.Queue()
        self._methods = methods if methods is not None else METHODS
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers([_Handler(self._handle)])
        self._server.add_insecure_port(f"unix:{socket}")
        self._server.start()

    def stop(self) -> None:
        self.events.put(None)
        self._server.stop(grace=None).wait()

    def _handle(self, call: Any) -> Any:
        method = call.method.rpartition("/")[2]
        if method == "GetContainerEvents" and "Version" in self._methods:
            return grpc.unary_stream_rpc_method_handler(
                self._stream, api_pb2.GetEventsRequest.FromString, api_pb2.ContainerEventResponse.SerializeToString
            )
        if method not in self._methods:
            return None  # gRPC answers UNIMPLEMENTED
        request, answer = (getattr(api_pb2, f"{method}{end}") for end in ("Request", "Response"))
        return grpc.unary_unary_rpc_method_handler(
            lambda asked, context: _answer(self._methods[method], asked, context),
            request.FromString,
            answer.SerializeToString,
        )

    def _stream(self, request: Any, context: Any) -> Iterator[Any]:
        while (event := self.events.get()) is not None:
            yield event


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc ships no types
    def __init__(self, handle: Callable[[Any], Any]) -> None:
        self._handle = handle

    def service(self, handler_call_details: Any) -> Any:
        return self._handle(handler_call_details)


def _answer(method: Callable[[Any], Any], request: Any, context: Any) -> Any:
    try:
        return method(request)
    except KeyError as error:
        context.abort(grpc.StatusCode.NOT_FOUND, f"could not find {error}")


WEB, POD = "5f" * 32, "0a" * 32
IMAGE = "quay.io/shop/web"
DIGEST = "sha256:" + "1d" * 32
UID = "0a4f3c52-7d1e-4a68-9c39-1f0e8b6d2a71"


def _status(request: Any) -> Any:
    if request.container_id != WEB:
        raise KeyError(request.container_id)
    status = api_pb2.ContainerStatus(
        id=WEB,
        metadata=api_pb2.ContainerMetadata(name="web"),
        state=api_pb2.CONTAINER_RUNNING,
        started_at=1_700_000_000_123_456_789,
        image=api_pb2.ImageSpec(image=f"{IMAGE}:1"),
        image_ref=f"{IMAGE}@{DIGEST}",
        mounts=[api_pb2.Mount(container_path="/data", host_path="/srv/data", readonly=True)],
    )
    info = {"sandboxID": POD, "pid": 0, "privileged": False, "runtimeSpec": {"ociVersion": "1.0.0"}}
    return api_pb2.ContainerStatusResponse(status=status, info={"info": json.dumps(info)})


def _pod_status(request: Any) -> Any:
    if request.pod_sandbox_id != POD:
        raise KeyError(request.pod_sandbox_id)
    labels = {"app": "web", "io.kubernetes.pod.name": "web-0", "statefulset.kubernetes.io/pod-name": "web-0"}
    status = api_pb2.PodSandboxStatus(
        id=POD,
        metadata=api_pb2.PodSandboxMetadata(name="web-0", namespace="shop", uid=UID),
        state=api_pb2.SANDBOX_READY,
        created_at=1_699_999_999_000_000_000,
        labels=labels,
        runtime_handler="kata",
    )
    return api_pb2.PodSandboxStatusResponse(status=status, info={"info": json.dumps({"pid": 0})})


METHODS: dict[str, Callable[[Any], Any]] = {
    "Version": lambda _: api_pb2.VersionResponse(runtime_name="cri-o", runtime_version="1.31.0"),
    "ListContainers": lambda _: api_pb2.ListContainersResponse(
        containers=[api_pb2.Container(id="gone"), api_pb2.Container(id=WEB, pod_sandbox_id=POD)]
    ),
    "ListPodSandbox": lambda _: api_pb2.ListPodSandboxResponse(items=[api_pb2.PodSandbox(id=POD)]),
    "ContainerStatus": _status,
    "PodSandboxStatus": _pod_status,
}
