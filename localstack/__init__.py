"""A local Supabase on loopback without Docker: for development and tests only."""
