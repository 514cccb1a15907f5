"""Changes of rows as Supabase Realtime tells them: hints for the worker, and one organisation's for its watchers."""
