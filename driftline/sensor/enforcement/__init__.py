"""Blocking: the drift rules in eBPF maps, signals after a verdict, the emergency switch."""
