import pytest

from driftline.cluster._workload import derive_workload

OWNERS = {
    "deployment": ("web-7d4b9c5f6d-x2x9q", {"pod-template-hash": "7d4b9c5f6d"}, "Deployment/web"),
    "deployment with dashes": ("a-b-7d4b9c5f6d-x2x9q", {"pod-template-hash": "7d4b9c5f6d"}, "Deployment/a-b"),
    "stateful set": (
        "db-0",
        {"statefulset.kubernetes.io/pod-name": "db-0", "controller-revision-hash": "db-6c8f"},
        "StatefulSet/db",
    ),
    "daemon set": (
        "agent-x2x9q",
        {"controller-revision-hash": "5f6d", "pod-template-generation": "1"},
        "DaemonSet/agent",
    ),
    "job": ("backup-28391040-x2x9q", {"job-name": "backup-28391040"}, "Job/backup-28391040"),
    "job since 1.27": ("b-x2x9q", {"batch.kubernetes.io/job-name": "b", "job-name": "b"}, "Job/b"),
    "bare pod": ("web", {"app": "web"}, ""),
    "hash that is not in the name": ("web", {"pod-template-hash": "7d4b9c5f6d"}, ""),
    "pod-name label copied to another pod": ("x", {"statefulset.kubernetes.io/pod-name": "db-0"}, ""),
    "expression in a label": ("web-a-x2x9q", {"pod-template-hash": ".*"}, ""),
}


@pytest.mark.parametrize(("pod", "labels", "owner"), OWNERS.values(), ids=OWNERS)
def test_owner_of_a_pod(pod: str, labels: dict[str, str], owner: str) -> None:
    assert derive_workload(pod, labels) == owner
