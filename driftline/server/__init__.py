"""The control plane: HTTP API, users, alerts, policies, hunts."""
