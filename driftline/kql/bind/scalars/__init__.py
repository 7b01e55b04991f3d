"""Scalar expressions: types and conversions, literals, names, operators."""
