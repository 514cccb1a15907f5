"""Realtime's `postgres_changes`, as the official clients speak it. Broadcast and presence aren't here.

pgoutput.py    bytes of logical replication → row changes
tables.py      what the catalog knows of a table; values as JSON
feed.py        reads a replication slot and hands out batches of changes
visibility.py  which changes a role with given claims may see
bindings.py    what a client asked for: event, schema, table, filter
hub.py         who listens, and who gets what
socket.py      one WebSocket: joins, tokens, leaving
wire.py        Phoenix frames, versions 1 and 2
"""
