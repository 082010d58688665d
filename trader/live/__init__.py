"""The asyncio shell: the loop, the clock, and everything that is said to people while it runs.

``build`` makes a desk from settings and decides what it is connected to: a ``world``, which is a ``simulation`` of a
market or ``alpaca``. ``coordinator`` owns the loop: inputs go to the engine, its events to the ``recorder`` and, when
they are durable, its commands to the world's broker, in the order they came; it decides nothing. Starting is recovering
(``recover``): there is no other way, and none to stop that matters. ``inbox`` is where Alpaca's edges put inputs,
``clock`` is market time, ``options`` is how one run goes, ``replay`` makes a taped one again.

Operators come in by ``control`` (a socket; ``control_messages``, ``control_operations``, ``control_client``,
``desk_view``, ``trade_list``, ``why`` with ``decisions``, and ``receipts`` are its parts) and by the ``halt_file``,
both in the ``state_folder``.
``access`` says with which keys and terms; ``admission`` asks ``guard`` and ``answers`` before any stream is opened.
``checks`` and the ``checkup`` modules are the doctor's. ``narrate`` names events as log lines, ``lines`` words them,
``outputs`` says where they go, ``summary`` is the block on exit, ``trades`` writes fills to a file.
"""
