"""Rows, health counters, metrics and status of the sensor."""
