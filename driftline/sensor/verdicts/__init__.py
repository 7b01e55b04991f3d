"""Verdicts on candidate files: reading content, image indexes, evaluation."""
