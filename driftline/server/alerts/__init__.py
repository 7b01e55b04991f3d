"""Alerts: findings of sensors, grouped and suppressed, with their life cycle, endpoints and live stream."""
