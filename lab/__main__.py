"""``python -m lab``: the lab by hand. See docs/how-to/lab.md."""

import sys
from typing import Annotated

import cyclopts
from rich.console import Console
from rich.table import Table

import lab
from lab import _containerd, _images
from lab._place import Place

app = cyclopts.App(name="python -m lab", help="Run real containers on this machine, without a cluster.")
Name = Annotated[str, cyclopts.Parameter(name="--lab", help="Which lab.")]


@app.command
def up(*, name: Name = "main") -> None:
    """Start the lab's containerd and print where it listens; it runs on until `down`."""
    with_images = lab.start(name)
    Console().print(f"containerd: unix://{with_images.socket}\nlog: {with_images.place.log}", highlight=False)
    with_images.close()


@app.command
def down(*, name: Name = "main") -> None:
    """Remove all of the lab's containers and end its containerd; images are kept."""
    _containerd.clear(Place.named(name))


@app.command
def images(*, name: Name = "main") -> None:
    """Build and import all of the lab's images."""
    running = lab.start(name)
    table = Table("name", "reference", "what it is", box=None)
    for image, what in _images.IMAGES.items():
        table.add_row(image, running.image(image), what.about)
    running.close()
    Console().print(table)


@app.command
def run(image: str, *command: str, pod: str = "web-1", namespace: str = "shop", name: Name = "main") -> None:
    """Start a pod with one container of IMAGE and print its id; `down` removes it."""
    running = lab.start(name)
    container = running.pod(pod, namespace=namespace, labels={"app": image}).container(image, command=command)
    Console().print(container.id, highlight=False)
    running.close()


@app.command(name="exec")
def exec_(container: str, *command: str, name: Name = "main") -> int:
    """Run COMMAND in a container that `run` started; the answer's status is its own."""
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
