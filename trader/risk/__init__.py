"""L1 risk, "what can't I do?": hard limits on every order. Yes or no; it never resizes and has no opinion.

``rules.py`` gathers what a desk is held to, ``limits.py`` and ``bounds.py`` are its parts. ``gate.py`` is the one door:
it looks at a question as an ``opening.py`` and asks ``basics.py`` (a sandbox's own books), ``lists.py``, ``orders.py``
with ``hours.py`` (the order itself), ``exposure.py`` on ``rings.py`` and ``sums.py`` (worst case), ``conduct.py`` (how
a strategy trades) and ``value_at_risk.py``, in this order. Beside it, read by the control room: ``ladder.py``,
``regime.py``, ``gauges.py`` and what follows, ``escalation.py``. ``loosened.py`` tells what is milder than it was.

Reductions pass every limit: a rule that keeps a losing position open is a risk, not a control. May import
``trader.model`` only, so it can be wrong about nothing but the numbers it is handed; whoever asks takes the reservation
in the same step.

*Why* sums are kept within a step, and tails and margins carried on: adding up a hundred symbols and three thousand
slots for each order costs more than all else together, and between two orders of a step nothing changes but what the
gate itself let pass.
"""
