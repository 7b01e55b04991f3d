"""Comparison of a container's file system with its image."""
