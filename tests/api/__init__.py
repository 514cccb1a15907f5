"""The HTTP API, asked as every kind of caller over a real PostgREST; `cells.py` says who gets what."""
