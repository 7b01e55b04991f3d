"""The policy that the sensor runs: its file, and the cached policy of the server."""
