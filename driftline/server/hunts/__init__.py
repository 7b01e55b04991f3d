"""Hunts: KQL over the hunting tables, within limits and granted clusters."""
