"""A local Supabase on loopback without Docker: for development and tests only.

`python -m localstack up` starts real Postgres and real PostgREST, and a gateway that stands in for
Supabase's API keys, Auth and Realtime. Programs and tests use `localstack.client`.

    __main__.py    the command line
    supervisor.py  owns the children: starts, restarts and stops them
    process.py     one child that can't outlive its supervisor
    postgres.py    the server's files, cluster and configuration; database.sql is what Supabase adds
    migrations.py  supabase/migrations through the official CLI
    credentials.py API keys, passwords and the signing key of one stack
    layout.py      where everything lies on disk, and the state that others read
    gateway/       one port for /rest/v1, /auth/v1 and /realtime/v1
    client.py      what tests and scripts import
"""
