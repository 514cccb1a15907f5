"""Herald's worker: the daemon that carries a CRM's WhatsApp messages between Supabase and WhatsApp."""
