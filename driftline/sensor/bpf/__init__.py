"""The eBPF object: loading, maps, records, perf events, self-test; the only importer of libbpf."""
