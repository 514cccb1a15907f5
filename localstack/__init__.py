"""A local Supabase on loopback without Docker: for development and tests only.

`python -m localstack up` starts real Postgres and real PostgREST, and a gateway that stands in for
Supabase's API keys, Auth, Realtime, Storage and the workers of pg_cron and pg_net, and runs edge functions in
Deno. Programs and tests use `localstack.client`.

    __main__.py    the command line
    supervisor.py  owns the children: starts, restarts and stops them
    ports.py       chooses free ports that no other stack chooses
    process.py     one child process that ends with its supervisor
    postgres.py    the server's files, cluster and configuration; database.sql and storage.sql are what Supabase
                   adds; pg_cron.sql, pg_net.sql and supabase_vault.sql extensions that the package lacks
    migrations.py  supabase/migrations through the official CLI
    credentials.py API keys, passwords and the signing key of one stack
    layout.py      where everything is on disk, and the state that others read
    gateway/       one port for /rest/v1, /auth/v1, /realtime/v1, /storage/v1 and /functions/v1; runs jobs, sends
                   requests
    client.py      what tests and scripts import
"""
