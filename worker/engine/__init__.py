"""The engine: a child program that holds a shard of WhatsApp Web sessions (docs/engine-protocol.md).

It is a program of its own because the library beneath can abort the whole process that it lives in. Plain threads
and the library's blocking client: its asyncio flavour parks one executor thread per session.
"""
