"""Containers, processes, mounts and mappings that the sensor follows."""
