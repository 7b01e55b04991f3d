"""Shipping of rows to a server, in a process of its own: spool, credentials, policy subscription."""
