"""One port that answers as a Supabase project does: API keys, Auth, REST and Realtime."""
