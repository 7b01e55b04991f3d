"""Sensors: enrolment, ingest, states, alerts on sensors, policies' way to them."""
