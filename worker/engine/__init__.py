"""The engine: a child program that holds a shard of WhatsApp Web sessions (docs/engine-protocol.md).

It is a program of its own because the WhatsApp library can abort the whole process that it runs in. It uses plain
threads and the library's blocking client, because the asyncio client parks one executor thread per session anyway.

Where to read, by question:

    which words do both ends use?           protocol, shapes (fields), framing (bytes)
    how is a call read, done, answered?     server, calls, answers
    which sessions are open here?           sessions
    how does a session live and end?        session, opening (what it holds), handlers (the library's events)
    how is a message sent?                  sender, contents, failures (what the library's errors mean)
    how are groups read and changed?        groups
    what survives a crash?                  journal (events), store (the library's database), copies (snapshots)
    how is the library tamed?               library, gate, sockets, sqlite
"""
