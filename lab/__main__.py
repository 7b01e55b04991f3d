"""``python -m lab``: command line of the lab. See docs/how-to/lab.md."""

import sys
from typing import Annotated

import cyclopts
from rich.console import Console
from rich.table import Table

import lab
from lab import _containerd, _images
from lab._paths import LabPaths

app = cyclopts.App(name="python -m lab", help="Run real containers on this machine, without a cluster.")
Name = Annotated[str, cyclopts.Parameter(name="--lab", help="Name of the lab.")]


@app.command
def up(*, name: Name = "main") -> None:
    """Start the lab's containerd and print its socket; it runs until `down`."""
    running = lab.start(name)
    Console().print(f"containerd: unix://{running.socket}\nlog: {running.paths.log}", highlight=False)
    running.close()


@app.command
def down(*, name: Name = "main") -> None:
    """Remove all containers of the lab and stop its containerd; images are kept."""
    _containerd.clear(LabPaths.named(name))


@app.command
def images(*, name: Name = "main") -> None:
    """Build and import all images of the lab, and list them."""
    running = lab.start(name)
    table = Table("name", "reference", "content", box=None)
    for image, what in _images.IMAGES.items():
        table.add_row(image, running.image(image), what.about)
    running.close()
    Console().print(table)


@app.command
def run(image: str, *command: str, pod: str = "web-1", namespace: str = "shop", name: Name = "main") -> None:
    """Start a pod with one container of IMAGE and print the container's id; `down` removes it."""
    running = lab.start(name)
    container = running.pod(pod, namespace=namespace, labels={"app": image}).container(image, command=command)
    Console().print(container.id, highlight=False)
    running.close()


@app.command(name="exec")
def exec_(container: str, *command: str, name: Name = "main") -> int:
    """Run COMMAND in a container started by `run`; exit with the command's status."""
    running = lab.start(name)
    done = lab.LabContainer(running.runtime, container).exec(*command)
    running.close()
    sys.stdout.buffer.write(done.stdout)
    sys.stderr.buffer.write(done.stderr)
    return done.exit_code


if __name__ == "__main__":
    try:
        app()
    except lab.LabError as error:
        sys.exit(f"lab: {error}")
