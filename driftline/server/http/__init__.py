"""HTTP parts that every domain uses: errors, paging, limits, TLS, log, metrics, server-sent events."""
