"""Faults from outside: a worker is held at an exact point, or cut off, without any hook in the product.

Each of a worker's connections runs through a `TcpProxy` (`wires.Wires`): the one to WhatsApp in front of the
simulator, the one to Supabase in front of an `HttpGate`, which knows calls by name. `failpoints` names the moments
that matter and brings a worker to them.
"""
