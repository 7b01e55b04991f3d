"""Row queries and hunts: limits, views, environment, sandbox, results."""
