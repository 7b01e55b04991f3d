"""The store's own process, its socket, and the clients that read and write through it."""
