"""The control plane: HTTP API, users, alerts, policies, hunts."""

import logging

logging.getLogger("alembic").setLevel(logging.WARNING)  # as early as this, since it talks while it is imported
