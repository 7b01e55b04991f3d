"""Alerts: what sensors raised, grouped, worked on, resolved."""
