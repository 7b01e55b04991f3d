"""Calls of functions: scalar functions, aggregates, window functions, user-defined functions.

``calls.bind_call`` is the way in. Most functions are bound by their row of ``driftline.kql.functions`` alone
(``signatures``); a function whose arguments decide more than that has an entry in ``special``.
"""
