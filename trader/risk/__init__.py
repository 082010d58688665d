"""L1 risk, "what can't I do?": hard limits on every order. Yes or no; it never resizes and has no opinion.

``limits.py`` is what a sandbox is held to, ``gate.py`` the check. Reductions pass every limit: a rule that keeps a
losing position open is a risk, not a control. May import ``trader.model`` only, so it can be wrong about nothing but
the numbers it is handed; whoever asks takes the reservation in the same step.
"""
