"""A sensor as the wire sees it, at a whole server."""

from __future__ import annotations

import ssl

import httpx

from driftline.wire.protocol import ENROL_PATH
from tests.server import gateways
from tests.server.serving import Served


def enrolled(served: Served, node: str = "n", cluster: str = "c") -> httpx.Client:
    """Enrol a sensor, and return its client, which is closed with the server."""
    token = (
        served.admin.post("/join-tokens", json={"cluster": cluster, "node": node}).raise_for_status().json()["token"]
    )
    key = gateways.new_key()
    body = {"csr": gateways.request_for(key), "node": node, "token": token, "time": gateways.now().isoformat()}
    said = served.anonymous().post(f"{served.url}{ENROL_PATH}", json=body).raise_for_status().json()
    context = ssl.create_default_context(cafile=str(served.data / "pki" / "ca.pem"))
    path = served.data.parent / f"{said['sensor']}.pem"
    context.load_cert_chain(gateways.write_pair(path, said["certificate"], key))
    return served.stack.enter_context(httpx.Client(base_url=served.url, verify=context, timeout=60))
