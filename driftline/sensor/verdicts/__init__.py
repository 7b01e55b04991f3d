"""From a candidate file to its verdict: bytes, image indexes, evaluation."""
