"""Real containers for the demo, the tests and the benchmarks: containerd, images and pods, without a cluster."""
