"""The tables that the API shows, by topic. A table without a topic is refused, so that the page misses none."""

TOPICS: dict[str, tuple[str, ...]] = {
    "The CRM": ("organizations", "profiles", "workshops", "workshop_attendees"),
    "Accounts and groups": (
        "whatsapp_sessions",
        "whatsapp_session_overview",
        "whatsapp_session_users",
        "whatsapp_groups",
        "whatsapp_commands",
    ),
    "The queue": (
        "scheduled_whatsapp_messages",
        "whatsapp_delivery_logs",
        "notification_queue",
    ),
    "People and the inbox": (
        "whatsapp_contacts",
        "whatsapp_group_members",
        "whatsapp_conversations",
        "whatsapp_messages",
    ),
    "Templates and campaigns": (
        "whatsapp_message_templates",
        "whatsapp_campaigns",
        "whatsapp_campaign_sessions",
    ),
    "Workshop automation": ("workshop_automation_config", "whatsapp_automation_tasks"),
    "Cloud API": ("whatsapp_cloud_accounts", "whatsapp_webhook_events"),
    "Operations": (
        "whatsapp_analytics",
        "whatsapp_queue_overview",
        "whatsapp_open_messages",
        "whatsapp_alerts",
        "whatsapp_audit_logs",
        "whatsapp_webhook_endpoints",
    ),
}
