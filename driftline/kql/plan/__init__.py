"""Relational algebra of queries: the node classes of plans, and functions that traverse and rebuild plans."""
