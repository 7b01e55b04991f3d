"""The algebra of plans, and walks through them."""
