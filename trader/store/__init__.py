"""What must outlive the process: the journal of events. Imports ``model``, ``logs`` and ``errors``; decides nothing.

One idea: the state of the books is the fold of the events, so the events are all that is kept. ``journal`` is the port
and the form of a record, ``sqlite`` keeps records in a file, ``lock`` lets one process at a time have them.

Why SQLite: it has been proven against power cuts; a file of our own would have to be. It runs with a write-ahead log,
synced at each commit, and with one connection that nobody else can open beside. What SQLite passes over in silence is
looked for here: a damaged log ends early, so what had been acknowledged is remembered beside it (``watermark``), and
the frames behind its end are looked at (``wal``). Every record carries the digest of all before it, so that a record
that was changed, lost or put in from elsewhere is named and nothing of the journal is trusted.

A failed sync is never repeated: the kernel may have dropped the pages it could not write. A journal that failed is
dead, the process ends, and the next one reads what is on the disk. A full disk is not a failure: nothing was written,
and the ballast beside the journal makes room for the last records.

Declined: one row per event (half of a step might be read alone), a checksum per page (the chain and SQLite's own check
find what it would), cutting a damaged end off (somebody has acted on what it held).
"""
