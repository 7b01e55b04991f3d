"""Parts of the printer: constants, and where comments go."""
