"""Pods of the node, for containers that the container runtime has not described (yet).

The cgroup's path of a container has the uid of its pod. A pod's sandbox, and its containers before, have told the
namespace, the name, the labels and the workload by then.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from driftline.events import Container
from driftline.policy import ResourceField

__all__ = ["ANY_POD", "PodTable", "unknown_fields"]

_KEPT = 4096
_OF_CONTAINER = frozenset((ResourceField.CONTAINER_NAME, ResourceField.IMAGE_NAME, ResourceField.IMAGE_DIGEST))
_OF_POD = frozenset(ResourceField) - _OF_CONTAINER - {ResourceField.CLUSTER_NAME}
ANY_POD = _OF_CONTAINER | _OF_POD
"""What is unknown of a pod of which only the cgroup is seen."""


class PodTable:
    """Pods by uid; the last ``_KEPT`` that were described."""

    def __init__(self) -> None:
        """Begin empty."""
        self._by_uid: OrderedDict[str, Container] = OrderedDict()

    def add(self, container: Container) -> None:
        """Remember the pod of a container that the runtime has described."""
        if container.pod_uid and container.pod:
            self._by_uid[container.pod_uid] = container
            self._by_uid.move_to_end(container.pod_uid)
            if len(self._by_uid) > _KEPT:
                self._by_uid.popitem(last=False)

    def complete(self, container: Container) -> Container:
        """Return a container with what is known of its pod."""
        pod = self._by_uid.get(container.pod_uid)
        if pod is None:
            return container
        return msgspec.structs.replace(
            container,
            namespace=pod.namespace,
            namespace_labels=pod.namespace_labels,
            pod=pod.pod,
            pod_labels=pod.pod_labels,
            workload=pod.workload,
        )


def unknown_fields(container: Container) -> frozenset[ResourceField]:
    """Return the properties that are unknown of a container that the runtime has not described.

    A container without a pod's uid in the path of its cgroup is in no pod: it has no namespace and no labels.
    """
    return ANY_POD if container.pod_uid and not container.pod else _OF_CONTAINER
