"""The store's own process, its socket, and the clients that write and read through it.

``service`` is the process, ``socket_server`` its socket, ``protocol`` the messages on it,
``writer`` and ``reader`` the two clients.
"""
