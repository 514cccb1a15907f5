"""One port that answers as a Supabase project does: API keys, Auth, REST, Realtime, Storage and edge functions.
Beside it, the workers that pg_cron and pg_net have in a hosted database.
"""
