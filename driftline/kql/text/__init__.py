"""KQL as text: tokens, terms of ``has``, constants, regular expression groups, problems with positions, hints.

The modules know no syntax tree and no plan; the parser, the binder and the emitters use them.
"""
