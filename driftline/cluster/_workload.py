"""Owner of a pod, derived from the labels that its controller sets.

The runtime does not know a pod's ownerReferences. The controllers' labels and the names they give
pods identify the owner; a pod whose author imitates them can name a false owner.
"""

import re
from collections.abc import Mapping

__all__ = ["derive_workload"]

SUFFIX = "[bcdfghjklmnpqrstvwxz2456789]{5}"  # apimachinery/pkg/util/rand: no vowels, no look-alikes


def derive_workload(pod: str, labels: Mapping[str, str]) -> str:
    """Return the owner of a pod as ``Kind/name``; empty if its labels identify none.

    ``pod`` is the pod's name, ``labels`` its labels.
    """
    for label, derive in OWNERS.items():
        if label in labels:
            return derive(pod, labels[label])
    return ""


# A Deployment's ReplicaSet is NAME-TEMPLATEHASH, and its pods add a random suffix.
def _deployment(pod: str, template_hash: str) -> str:
    match = re.fullmatch(rf"(?P<name>.+)-{re.escape(template_hash)}-{SUFFIX}", pod)
    return f"Deployment/{match['name']}" if match else ""


def _stateful_set(pod: str, pod_name: str) -> str:
    name, _, ordinal = pod.rpartition("-")
    return f"StatefulSet/{name}" if pod == pod_name and ordinal.isdecimal() else ""


def _daemon_set(pod: str, _: str) -> str:
    match = re.fullmatch(rf"(?P<name>.+)-{SUFFIX}", pod)
    return f"DaemonSet/{match['name']}" if match else ""


def _job(_: str, job: str) -> str:
    return f"Job/{job}"


# Pods of a StatefulSet also carry controller-revision-hash, so the StatefulSet's own label comes first.
OWNERS = {
    "batch.kubernetes.io/job-name": _job,  # since Kubernetes 1.27
    "job-name": _job,
    "statefulset.kubernetes.io/pod-name": _stateful_set,
    "pod-template-hash": _deployment,
    "controller-revision-hash": _daemon_set,
}
