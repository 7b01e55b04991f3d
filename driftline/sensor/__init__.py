"""The node sensor, and the only package that uses libbpf and perf events.

``sensor`` is the loop of the process, ``pipeline`` the steps that a record passes through. The folders, from the top
layer down (import-linter holds the order): ``scan`` and ``shipping``; ``verdicts``; ``enforcement``, ``policy`` and
``reporting``; ``tracking``; ``bpf``.

Nothing is imported here, so that the child processes (``bpf.selftest``, ``verdicts.indexes``,
``shipping.credentials``, ``shipping.process``) load only the modules that they need.
"""
