"""Blocking: maps of the drift rules in the kernel, signals, the emergency switch."""
