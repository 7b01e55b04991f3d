"""Protobuf messages of containerd's own gRPC API, made at run time; only the part in use.

No maintained package carries these stubs (decision note 002). Protobuf needs no more than a table
of fields: names of messages are not transmitted, numbers and types are. The numbers are those of
containerd's ``api/`` at v1.6 and v2.1, where they are the same; unknown fields are skipped. A map
field is transmitted as a repeated message of key and value, so the table has it as one.
"""

from typing import Any

from google.protobuf import descriptor_pool, message_factory

__all__ = ["MESSAGES", "METHODS", "message"]

# Message → field → (number, type). A type with a capital letter is a message; "*" means repeated.
MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "Empty": {},
    "Any": {"type_url": (1, "string"), "value": (2, "bytes")},  # google/protobuf/any.proto
    "Time": {"seconds": (1, "int64"), "nanos": (2, "int32")},  # google/protobuf/timestamp.proto
    "Pair": {"key": (1, "string"), "value": (2, "string")},
    "ById": {"id": (1, "string")},
    "ByName": {"name": (1, "string")},
    "ByContainer": {"container_id": (1, "string")},
    # services/namespaces/v1/namespace.proto
    "Namespace": {"name": (1, "string")},
    "Namespaces": {"namespaces": (1, "*Namespace")},
    # services/containers/v1/containers.proto
    "RuntimeInfo": {"name": (1, "string")},
    "Container": {
        "id": (1, "string"),
        "labels": (2, "*Pair"),
        "image": (3, "string"),
        "runtime": (4, "RuntimeInfo"),
        "spec": (5, "Any"),
        "snapshotter": (6, "string"),
        "snapshot_key": (7, "string"),
        "created_at": (8, "Time"),
    },
    "OneContainer": {"container": (1, "Container")},
    "Containers": {"containers": (1, "*Container")},
    # services/tasks/v1/tasks.proto, types/task/task.proto
    "Task": {"container_id": (1, "string"), "id": (2, "string"), "pid": (3, "uint32"), "status": (4, "int32")},
    "OneTask": {"process": (1, "Task")},
    "Tasks": {"tasks": (1, "*Task")},
    # services/images/v1/images.proto, types/descriptor.proto
    "Descriptor": {"media_type": (1, "string"), "digest": (2, "string"), "size": (3, "int64")},
    "Image": {"name": (1, "string"), "target": (3, "Descriptor")},
    "OneImage": {"image": (1, "Image")},
    # services/snapshots/v1/snapshots.proto, types/mount.proto
    "BySnapshot": {"snapshotter": (1, "string"), "key": (2, "string")},
    "Mount": {"type": (1, "string"), "source": (2, "string"), "target": (3, "string"), "options": (4, "*string")},
    "Mounts": {"mounts": (1, "*Mount")},
    "SnapshotInfo": {"name": (1, "string"), "parent": (2, "string")},
    "OneSnapshot": {"info": (1, "SnapshotInfo")},
    "NewView": {"snapshotter": (1, "string"), "key": (2, "string"), "parent": (3, "string"), "labels": (4, "*Pair")},
    # services/content/v1/content.proto
    "ByDigest": {"digest": (1, "string")},
    "ContentInfo": {"digest": (1, "string"), "size": (2, "int64")},
    "OneContentInfo": {"info": (1, "ContentInfo")},
    "ReadContent": {"digest": (1, "string"), "offset": (2, "int64"), "size": (3, "int64")},
    "Chunk": {"offset": (1, "int64"), "data": (2, "bytes")},
    # services/introspection/v1/introspection.proto
    "Filters": {"filters": (1, "*string")},
    "Plugin": {"type": (1, "string"), "id": (2, "string"), "exports": (5, "*Pair")},
    "Plugins": {"plugins": (1, "*Plugin")},
    # services/events/v1/events.proto; all of events/task.proto begin with the container's id
    "Envelope": {"timestamp": (1, "Time"), "namespace": (2, "string"), "topic": (3, "string"), "event": (4, "Any")},
    "TaskEvent": {"container_id": (1, "string"), "id": (2, "string")},
}

# Method → (request message, response message).
METHODS: dict[str, tuple[str, str]] = {
    "containerd.services.namespaces.v1.Namespaces/List": ("Empty", "Namespaces"),
    "containerd.services.containers.v1.Containers/Get": ("ById", "OneContainer"),
    "containerd.services.containers.v1.Containers/List": ("Filters", "Containers"),
    "containerd.services.tasks.v1.Tasks/Get": ("ByContainer", "OneTask"),
    "containerd.services.tasks.v1.Tasks/List": ("Empty", "Tasks"),
    "containerd.services.images.v1.Images/Get": ("ByName", "OneImage"),
    "containerd.services.snapshots.v1.Snapshots/Mounts": ("BySnapshot", "Mounts"),
    "containerd.services.snapshots.v1.Snapshots/Stat": ("BySnapshot", "OneSnapshot"),
    "containerd.services.snapshots.v1.Snapshots/View": ("NewView", "Mounts"),
    "containerd.services.snapshots.v1.Snapshots/Remove": ("BySnapshot", "Empty"),
    "containerd.services.content.v1.Content/Info": ("ByDigest", "OneContentInfo"),
    "containerd.services.content.v1.Content/Read": ("ReadContent", "Chunk"),
    "containerd.services.introspection.v1.Introspection/Plugins": ("Filters", "Plugins"),
    "containerd.services.events.v1.Events/Subscribe": ("Filters", "Envelope"),
}

_PACKAGE = "driftline.containerd"
# Numbers of google/protobuf/descriptor.proto, FieldDescriptorProto.
_TYPES = {"int64": 3, "int32": 5, "string": 9, "message": 11, "bytes": 12, "uint32": 13}
_OPTIONAL, _REPEATED = 1, 3


def message(name: str) -> Any:
    """Return the protobuf class of a message in ``MESSAGES``."""
    return _CLASSES[name]


# A FileDescriptorProto in its wire format (protobuf.dev, "Encoding"), written by hand: importing
# google.protobuf's descriptor_pb2 to build it would cost every sensor 4 MB.
def _file() -> bytes:
    """Return the serialized file descriptor of all messages."""
    messages = [_text(1, name) + _fields(fields) for name, fields in MESSAGES.items()]
    head = _text(1, "driftline/containerd.proto") + _text(2, _PACKAGE) + _text(12, "proto3")
    return head + b"".join(_block(4, body) for body in messages)


def _fields(fields: dict[str, tuple[int, str]]) -> bytes:
    return b"".join(_field(name, number, kind) for name, (number, kind) in fields.items())


def _field(name: str, number: int, kind: str) -> bytes:
    """Return the FieldDescriptorProto of one field."""
    single = kind.removeprefix("*")
    label = _OPTIONAL if single == kind else _REPEATED
    is_message = single[0].isupper()
    body = _text(1, name) + _number(3, number) + _number(4, label)
    body += _number(5, _TYPES["message" if is_message else single])
    return _block(2, body + (_text(6, f".{_PACKAGE}.{single}") if is_message else b""))


def _text(number: int, text: str) -> bytes:
    return _block(number, text.encode())


def _block(number: int, content: bytes) -> bytes:
    """Encode a length-delimited field (wire type 2)."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    """Encode an integer field (wire type 0)."""
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Encode a base-128 varint."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low]) if not rest else bytes([low | 0x80]) + _varint(rest)


def _classes() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()  # private: another library may register containerd's real names
    pool.AddSerializedFile(_file())
    found = {name: pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in MESSAGES}
    return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}


_CLASSES = _classes()
