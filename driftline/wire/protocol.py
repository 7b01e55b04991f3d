"""HTTP protocol between sensor and server: paths, headers, bodies and join tokens.

Batches have their own modules (``encode``, ``decode``). Times in bodies are ISO 8601 with an
offset; certificates, keys and requests are PEM.
"""

from __future__ import annotations

import datetime
import re
import secrets
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from driftline.errors import InvalidInput

__all__ = [
    "AUTHORITY_PATH",
    "ENROL_PATH",
    "FIRST_HEADER",
    "FLOOR_HEADER",
    "INGEST_PATH",
    "POLICY_PATH",
    "RENEW_PATH",
    "TIME_HEADER",
    "VERSION_HEADER",
    "Acknowledgement",
    "ClusterName",
    "Delivered",
    "Enrolled",
    "Enrolment",
    "JoinToken",
    "NodeName",
    "PolicyAck",
    "Renewal",
    "check_cluster_name",
    "check_node_name",
]

AUTHORITY_PATH = "/api/v1/enrol/authority"
ENROL_PATH = "/api/v1/enrol"
RENEW_PATH = "/api/v1/sensors/renew"
INGEST_PATH = "/api/v1/ingest"
POLICY_PATH = "/api/v1/sensor/policy"

FIRST_HEADER = "Driftline-First"
"""Header: number of a batch's first row; the following rows have the following numbers."""
FLOOR_HEADER = "Driftline-Floor"
"""Header: lowest row number that the sensor still holds; it will never send a lower one."""
TIME_HEADER = "Driftline-Time"
"""Header: the sensor's clock when it sent the request, in microseconds since 1970 UTC."""
VERSION_HEADER = "Driftline-Version"
"""Header: version of the sensor."""

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_node_name(name: str) -> str:
    """Return the name of a node; raises ``ValueError`` unless it is one that Kubernetes or a host can have.

    Such a name is harmless in paths, logs and pages.
    """
    if not _HOST.fullmatch(name) or ".." in name:
        raise ValueError("expected a host name: letters, digits, '-', '_' and single '.', at most 253")
    return name


def check_cluster_name(name: str) -> str:
    """Return the name of a cluster; raises ``ValueError`` for an empty or long one, or one that is a path like ../x."""
    parts = re.split(r"[/\\]", name)
    if not 0 < len(name) <= 253 or _CONTROL.search(name) or any(part in ("", ".", "..") for part in parts):
        raise ValueError("expected a name of at most 253 printable characters, without the parts '.' and '..'")
    return name


NodeName = Annotated[str, AfterValidator(check_node_name)]
ClusterName = Annotated[str, AfterValidator(check_cluster_name)]
Pem = Annotated[str, Field(min_length=1, max_length=16_384)]

_TOKEN = re.compile(r"dlj1\.([0-9a-f]{16})\.([0-9a-f]{48})\.([0-9a-f]{64})?")


@dataclass(frozen=True, slots=True)
class JoinToken:
    """Secret that lets one sensor enrol once.

    Its text has the form ``dlj1.ID.SECRET.FINGERPRINT``.
    """

    id: str
    """Public id, 16 hexadecimal digits."""
    secret: str
    """48 hexadecimal digits (192 random bits)."""
    fingerprint: str
    """SHA-256 of the server's certificate authority, in hexadecimal, by which the sensor recognizes the
    server before it has its authority; empty if the server's certificate is from an authority in the
    system's trust store.
    """

    @classmethod
    def make(cls, fingerprint: str) -> Self:
        """Make a token with a new id and secret."""
        return cls(secrets.token_hex(8), secrets.token_hex(24), fingerprint)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a token's text; raise ``InvalidInput``, whose message does not repeat the secret."""
        match = _TOKEN.fullmatch(text.strip())
        if not match:
            raise InvalidInput("not a join token; expected the complete text dlj1.ID.SECRET.FINGERPRINT")
        return cls(match[1], match[2], match[3] or "")

    def text(self) -> str:
        """Return the token's text, a secret."""
        return f"dlj1.{self.id}.{self.secret}.{self.fingerprint}"


class Enrolment(BaseModel):
    """Request of a sensor for its first certificate, with a join token or a bearer token."""

    csr: Pem = Field(description="PKCS #10 request, PEM; its subject is ignored")
    node: NodeName = Field(description="Name of the node")
    token: str = Field("", max_length=256, description="Join token; empty if a service-account token is sent")
    version: str = Field("", max_length=64, description="Version of the sensor")
    time: datetime.datetime = Field(description="The sensor's clock")


class Renewal(BaseModel):
    """Request of a sensor for its next certificate, over a connection with its present one."""

    csr: Pem = Field(description="PKCS #10 request for a new key, PEM")


class Enrolled(BaseModel):
    """Certificate of a sensor and the scope it is valid for."""

    sensor: str = Field(description="Id of the sensor")
    cluster: str = Field(description="Cluster whose rows the sensor may write")
    node: str = Field(description="Node whose rows the sensor may write")
    certificate: str = Field(description="Client certificate, PEM")
    authority: str = Field(description="Certificate authority of the server, PEM")
    expires: datetime.datetime = Field(description="Time at which the certificate expires, UTC")
    renew_after: datetime.datetime = Field(description="Time from which the sensor should renew the certificate, UTC")


class Acknowledgement(BaseModel):
    """Confirmation that the rows of a batch are stored durably."""

    first: int = Field(description="Number of the batch's first row")
    last: int = Field(description="Number of the batch's last row")
    stored: int = Field(description="Number of rows that were not stored before")


class Delivered(BaseModel):
    """Policy that a sensor is to apply."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(examples=["default"])
    version: int = Field(examples=[7])
    digest: str = Field(description="SHA-256 of the text")
    text: str = Field(description="Text of the policy, YAML")


class PolicyAck(BaseModel):
    """Answer of a sensor to a delivered policy."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=253, examples=["default"])
    version: int = Field(ge=0, le=2**31, examples=[7])
    error: str = Field(
        default="",
        max_length=4096,
        description="Reason why the sensor cannot apply the policy; empty if it applies the policy",
    )
