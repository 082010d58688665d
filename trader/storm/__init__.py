"""The storm: the desk tried in virtual time against a world that fails on purpose. ``trader storm`` runs it.

One process, no sockets, no threads, no waiting. ``timeline.py`` is virtual time and a loop in it, ``weather.py`` what
goes wrong in one seed, ``market.py`` prices and strategies, ``exchange.py`` venue and network, ``disk.py`` the journal,
``daemon.py`` one life of the real desk. ``witness.py`` lists what must hold and looks at the desk, ``passage.py`` at
what passes the network, ``promises.py`` keeps what is durable, ``ceilings.py`` has the limits of the desk and counts
for itself whether anything goes beyond one, ``truth.py`` compares at the end; ``run.py`` is one seed, ``verdict.py``
many. May import every room below the command line.

*Why* the real parts: engine, gate, books, journal codec, Alpaca's broker side and the pure venue are what runs in
production; only what does I/O is made up, at the seams that the parts have anyway: ``access.alpaca.line``, the journal,
the inputs. *Why* no random kills of real processes here: ten thousand lives a minute find what forty cannot; that the
real process keeps the same promises is tested apart. Not modelled: other accounts, splits, dividends, torn sectors
(``tests/store`` has those).
"""
