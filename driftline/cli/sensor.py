"""``driftline sensor``: watch this node's containers until stopped."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from driftline.cli import _sinks
from driftline.policy import NodeLocation
from driftline.sensor.policy.watched_file import PolicyFile, ServedPolicy
from driftline.sensor.reporting.status import DEFAULT_ADDRESS, StatusServer
from driftline.sensor.sensor import Options, Sensor, Sink
from driftline.sensor.shipping import launcher

app = App(name="sensor", help="Watch the containers of this node and report what they run that is not of their image.")


@app.default
def sensor(
    *,
    policy: Path | None = None,
    store: Path | None = None,
    server: Annotated[str, Parameter(env_var="DRIFTLINE_SERVER")] = "",
    join: Annotated[str, Parameter(env_var="DRIFTLINE_JOIN")] = "",
    state: Path = Path("/var/lib/driftline/sensor"),
    output: Literal["table", "json", "none"] = "table",
    runtime: Annotated[str, Parameter(env_var="CONTAINER_RUNTIME_ENDPOINT")] = "",
    images: Path = Path("/var/lib/driftline/images"),
    cluster: Annotated[str, Parameter(env_var="DRIFTLINE_CLUSTER")] = "",
    node: Annotated[str, Parameter(env_var="NODE_NAME")] = "",
    cloud: Literal["", "azure", "aws", "gcp"] = "",
    account: str = "",
    resource: str = "",
    hosts: Annotated[bool, Parameter(negative=())] = False,
    provenance: bool = True,
    libraries: bool = True,
    listen: str = DEFAULT_ADDRESS,
) -> None:
    """Run until SIGINT or SIGTERM; needs root.

    Parameters
    ----------
    policy
        Drift policy file, followed as it changes. Without one, the server's policy is followed;
        without a server, alerts come for kube-system only.
    store
        Directory of the event store to write to; without one, nothing is kept.
    server
        Server to send rows to, as https://HOST[:PORT].
    join
        Join token of that server, for the first start; without one, the pod's service-account
        token is shown.
    state
        Directory of the certificate for the server, and of the rows it does not have yet.
    output
        What goes to standard output: a line for each alert, every row as a JSON object a
        line, or nothing.
    runtime
        Socket of the container runtime; found among the usual ones if not given.
    images
        Directory for the indexes of images.
    cluster
        Name of the cluster, as the rows shall say it.
    node
        Name of the node; the machine's host name if not given.
    cloud
        Cloud provider of the cluster; empty on premises.
    account
        Azure subscription, AWS account or GCP project of the cluster.
    resource
        The cluster's own id at its provider.
    hosts
        Report what the node's own processes run, too.
    provenance
        See who writes files and which scripts are read; costs each system call some 60 ns.
    libraries
        See which libraries are loaded.
    listen
        Address of /metrics and /status; empty for none.
    """
    node = node or socket.gethostname()
    shipper = None
    if server:
        cluster = launcher.enrol(state, server, token=join, cluster=cluster, node=node).cluster
        shipper = partial(launcher.start_shipper, state, server, served_policy=policy is None)
    place = NodeLocation(cluster=cluster, node=node, cloud=cloud, account=account, resource=resource)
    options = Options(
        place=place,
        policy=ServedPolicy(state) if server and policy is None else PolicyFile(policy),
        image_directory=images,
        runtime_address=runtime,
        watch_hosts=hosts,
        provenance=provenance,
        libraries=libraries,
        state=state if server else None,
        heartbeats=bool(server),
    )
    stop = threading.Event()
    with _sinks.opened(output, stop.set, store=store, shipper=shipper) as sinks:
        _run(options, sinks, listen, stop)


def _run(options: Options, sinks: Sequence[Sink], listen: str, stop: threading.Event) -> None:
    with ExitStack() as stack:
        sensor = stack.enter_context(Sensor(options, sinks))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: sensor.stop())
        threading.Thread(target=_stop_when, args=(stop, sensor), daemon=True).start()
        address = ""
        if listen:
            server = StatusServer(listen, sensor.status)
            stack.callback(server.close)
            address = server.address
        print(f"driftline: sensor started, pid {os.getpid()}, status on {address or 'no address'}", file=sys.stderr)
        sensor.run()


def _stop_when(stop: threading.Event, sensor: Sensor) -> None:
    stop.wait()
    sensor.stop()
