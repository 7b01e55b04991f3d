"""The node sensor: the only importer of libbpf, perf and fanotify.

``sensor`` is its loop, ``pipeline`` what a record goes through; nothing is imported here, so
that the child processes (``selftest``, ``indexes``) start with what they need alone.
"""
