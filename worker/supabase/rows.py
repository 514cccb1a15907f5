"""The names of tables, views and columns, each in one place."""

SESSIONS = "whatsapp_sessions"
#: The accounts without their QR and pairing codes, which are keys to them: for members.
SESSION_OVERVIEW = "whatsapp_session_overview"
QUEUE = "scheduled_whatsapp_messages"
#: Pending, sending and in doubt, found without reading what is finished: the queue has no index by status.
OPEN_MESSAGES = "whatsapp_open_messages"
CHAT_MESSAGES = "whatsapp_messages"
GROUPS = "whatsapp_groups"
COMMANDS = "whatsapp_commands"

#: In the private schema: a row for each run of a worker, changed so that Realtime can be seen to tell of it.
PRIVATE_SCHEMA, CANARIES = "herald", "realtime_canaries"
