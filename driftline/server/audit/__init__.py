"""The audit trail of every write."""
