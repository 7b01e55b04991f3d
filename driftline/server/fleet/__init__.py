"""Sensors of the fleet: enrolment, ingest of their batches, their states, and alerts on them."""
