"""Plugins of the evaluate operator, one file each."""
