"""What a sensor and its server say to each other beside batches: paths, headers, bodies, join tokens."""

from __future__ import annotations

import datetime
import re
import secrets
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from driftline.errors import InvalidInput

__all__ = [
    "AUTHORITY_PATH",
    "ENROL_PATH",
    "FIRST",
    "FLOOR",
    "INGEST_PATH",
    "POLICY_PATH",
    "RENEW_PATH",
    "TIME",
    "VERSION",
    "Acknowledgement",
    "Delivered",
    "Enrolled",
    "Enrolment",
    "JoinToken",
    "PolicyAck",
    "Renewal",
]

AUTHORITY_PATH = "/api/v1/enrol/authority"
ENROL_PATH = "/api/v1/enrol"
RENEW_PATH = "/api/v1/sensors/renew"
INGEST_PATH = "/api/v1/ingest"
POLICY_PATH = "/api/v1/sensor/policy"

FIRST = "Driftline-First"
"""Number of a batch's first row; the following rows have the following numbers."""
FLOOR = "Driftline-Floor"
"""Below this number the sensor has nothing more to send."""
TIME = "Driftline-Time"
"""The sensor's clock when it sent, in microseconds since 1970 UTC."""
VERSION = "Driftline-Version"
"""Version of the sensor."""

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\x00-\x1f\x7f]+$")]
Pem = Annotated[str, Field(min_length=1, max_length=16_384)]

_TOKEN = re.compile(r"dlj1\.([0-9a-f]{16})\.([0-9a-f]{48})\.([0-9a-f]{64})?")


@dataclass(frozen=True, slots=True)
class JoinToken:
    """What lets one sensor enrol once; its text is a secret.

    ``fingerprint`` is the SHA-256 of the server's authority, so that the sensor knows the server
    before it trusts any; empty when the server's certificate is of an authority the system knows.
    """

    id: str
    secret: str
    fingerprint: str

    @classmethod
    def make(cls, fingerprint: str) -> Self:
        """Make a new one."""
        return cls(secrets.token_hex(8), secrets.token_hex(24), fingerprint)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a token's text; raises ``InvalidInput``, without the text in its words."""
        match = _TOKEN.fullmatch(text.strip())
        if not match:
            raise InvalidInput("the join token is none; expected dlj1.ID.SECRET.FINGERPRINT, whole")
        return cls(match[1], match[2], match[3] or "")

    def text(self) -> str:
        """Give its text."""
        return f"dlj1.{self.id}.{self.secret}.{self.fingerprint}"


class Enrolment(BaseModel):
    """A sensor asks for its first certificate; with ``token`` or with a bearer token in the header."""

    csr: Pem = Field(description="PKCS #10 request, PEM; its subject is not looked at")
    node: Name = Field(description="Name of the node")
    token: str = Field("", max_length=256, description="Join token; empty if a service-account token is sent")
    version: str = Field("", max_length=64, description="Version of the sensor")
    time: datetime.datetime = Field(description="The sensor's clock")


class Renewal(BaseModel):
    """A sensor asks for its next certificate, over a connection with its present one."""

    csr: Pem = Field(description="PKCS #10 request of a new key, PEM")


class Enrolled(BaseModel):
    """A sensor's certificate, and what it is for."""

    sensor: str = Field(description="Id of the sensor")
    cluster: str = Field(description="The only cluster it may write rows of")
    node: str = Field(description="The only node it may write rows of")
    certificate: str = Field(description="Client certificate, PEM")
    authority: str = Field(description="The server's authority, PEM")
    expires: datetime.datetime = Field(description="End of the certificate")
    renew_after: datetime.datetime = Field(description="From when on the next one should be asked for")


class Acknowledgement(BaseModel):
    """Rows that are stored, durably."""

    first: int = Field(description="Number of the batch's first row")
    last: int = Field(description="Number of its last row")
    stored: int = Field(description="How many of them were new")


class Delivered(BaseModel):
    """The policy a sensor is to run."""

    model_config = ConfigDict(from_attributes=True)
    name: str = Field(examples=["default"])
    version: int = Field(examples=[7])
    digest: str = Field(description="SHA-256 of the text")
    text: str = Field(description="As somebody put it in force: YAML")


class PolicyAck(BaseModel):
    """What a sensor made of the policy delivered."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=253, examples=["default"])
    version: int = Field(ge=0, le=2**31, examples=[7])
    error: str = Field(default="", max_length=4096, description="Why it could not use it; empty if it runs it")
