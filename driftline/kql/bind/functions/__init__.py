"""Calls of functions: scalar functions, aggregates, window functions, user-defined functions."""
