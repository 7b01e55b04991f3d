"""Side-by-side benchmarks: each prints ratios between variants measured in one run.

Absolute times depend on the machine and its load; the ratios are comparable. Each benchmark runs as
``python -m bench.NAME``; those with containers need root.
"""
