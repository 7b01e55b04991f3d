"""Policies: versions, and which sensor runs which."""
