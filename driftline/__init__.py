"""Detect, decide on, explain and hunt binary drift in containers.

Layout (import-linter holds the order, see ``docs/explanation/architecture.md``)::

    cli > sensor > store | cluster > kql | verdict | policy | image > events > errors

A folder's ``__init__`` re-exports its public names; modules that start with an
underscore belong to their folder alone.
"""

from importlib.metadata import version

__version__ = version("driftline")
