"""The server side of WhatsApp on loopback, with simulated phones: for development and tests only.

Where to read, by question:

    how does a client get here?             redirect, launch_engine, tls
    what is on the socket?                  wire/, connection, server (handshake, login, dispatch)
    how is it linked to an account?         pairing
    what is an account, a linked client?    device
    who is there?                           world, group; usync and prekeys tell clients about each other
    where does a message go?                routing, offline (until acknowledged), own_phone, groups, media
    what can go wrong on demand?            faults
    who really receives?                    phones (their process), recipient (a client), recipients (supervision)
    what arrived?                           ledger
    how do I drive it?                      client (Python), control (HTTP), `python -m simulator run --help`
"""
