"""HTTP for every domain: errors, paging, limits, TLS, log, metrics, server-sent events."""
