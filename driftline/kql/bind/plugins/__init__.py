"""Plugins of the evaluate operator, one file each; ``bind.operators.evaluate`` holds their table."""
