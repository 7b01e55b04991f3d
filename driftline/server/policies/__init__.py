"""Policies: their versions, delivery to sensors, and the version that each sensor runs."""
