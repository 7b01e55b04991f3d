"""``driftline sensor``: the sensor of this node as a foreground process."""

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

import msgspec
from cyclopts import App, Parameter

from driftline.cli._shared.options import DEFAULT_IMAGES, Flag, Images, NodeRuntime
from driftline.events import Alert, stream
from driftline.policy import NodeLocation
from driftline.private_files import keep_private, tighten
from driftline.sensor import requirements
from driftline.sensor.policy.watched_file import PolicyFile, ServedPolicy
from driftline.sensor.reporting.sinks import PrintAlert, Sink, open_sinks
from driftline.sensor.reporting.status import DEFAULT_ADDRESS, StatusServer
from driftline.sensor.sensor import Options, Sensor
from driftline.sensor.shipping import launcher

_STATE_FILES = ("*.pem", "*.key", "policy*.yaml", "runs", "spool")
app = App(
    name="sensor",
    help_epilogue="Needs root. Runs until SIGINT or SIGTERM. Without --store and --server, rows are not kept.",
)


@app.default
def sensor(
    *,
    policy: Path | None = None,
    store: Path | None = None,
    server: Annotated[str, Parameter(env_var="DRIFTLINE_SERVER")] = "",
    join: Annotated[str, Parameter(env_var="DRIFTLINE_JOIN")] = "",
    state: Path = Path("/var/lib/driftline/sensor"),
    output: Literal["table", "json", "none"] = "table",
    runtime: NodeRuntime = "",
    images: Images = DEFAULT_IMAGES,
    cluster: Annotated[str, Parameter(env_var="DRIFTLINE_CLUSTER")] = "",
    node: Annotated[str, Parameter(env_var="NODE_NAME")] = "",
    cloud: Literal["", "azure", "aws", "gcp"] = "",
    account: str = "",
    resource: str = "",
    hosts: Flag = False,
    provenance: bool = True,
    libraries: bool = True,
    listen: str = DEFAULT_ADDRESS,
) -> None:
    """Run the sensor until SIGINT or SIGTERM.

    Parameters
    ----------
    policy
        Drift policy file in YAML; changes to it are applied at once. Default: the policy of the server; without a
        server, a policy that alerts on drift in kube-system only.
    store
        Directory of the event store to write to. Default: none, rows are not stored.
    server
        URL of the server to send rows to, as https://HOST[:PORT]. Default: none.
    join
        Join token of the server, needed at the first start only. Default: the service-account token of the pod.
    state
        Directory for the marker of this run, by which the next one reports SensorKilled; with --server, for the
        sensor's certificate and rows that the server has not received yet as well.
    output
        Format of standard output: table for a text for each alert, json for every row as one object a line, none for
        nothing.
    cluster
        Cluster name recorded in events; with --server, the name in the sensor's certificate is used. Default: none.
    node
        Node name recorded in events. Default: the host name of this machine.
    cloud
        Cloud provider of the cluster: azure, aws or gcp. Default: none, on premises.
    account
        Azure subscription, AWS account or GCP project of the cluster. Default: none.
    resource
        Id of the cluster at its cloud provider. Default: none.
    hosts
        Report also the processes of the node itself, which run outside containers.
    provenance
        Track which process writes a file and which scripts interpreters read; costs about 60 ns a system call.
    libraries
        Track the loading of shared libraries.
    listen
        Address of the HTTP endpoints /metrics and /status, as HOST:PORT; "" for none.
    """
    requirements.check_host()  # before files that only root may reach
    keep_private()
    for directory, names in ((state, _STATE_FILES), (images, ("*",))):
        if directory.exists():
            tighten(directory, names)
    node = node or socket.gethostname()
    # The cluster of the enrolment takes precedence: the server refuses rows of another one.
    shipper = None
    if server:
        cluster = launcher.enrol(state, server, token=join, cluster=cluster, node=node).cluster
        shipper = partial(launcher.start_shipper, state, server, served_policy=policy is None)
    location = NodeLocation(cluster=cluster, node=node, cloud=cloud, account=account, resource=resource)
    options = Options(
        location=location,
        policy=ServedPolicy(state) if server and policy is None else PolicyFile(policy),
        image_directory=images,
        runtime_address=runtime,
        watch_hosts=hosts,
        provenance=provenance,
        libraries=libraries,
        state=state,
        heartbeats=bool(server),
    )
    stop = threading.Event()
    print_alert = _alert_printer() if output == "table" else None
    with open_sinks(
        stop.set, store=store, shipper=shipper, print_rows=output == "json", print_alert=print_alert
    ) as sinks:
        _run(options, sinks, listen, stop)


def _alert_printer() -> PrintAlert:
    from rich.console import Console  # noqa: PLC0415 (10 MB that only this output needs)

    from driftline.cli._shared.alert_text import render  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)

    def print_alert(alert: Alert) -> None:
        console.print(render(msgspec.json.decode(stream.encode(alert))))

    return print_alert


# The sensor stops on a signal, or when the reader of standard output has closed it (``stop``).
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
