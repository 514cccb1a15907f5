-- The words for each constraint, as its comment: what is wrong, and what to do. A test asks for those of every new one.

-- == what may be in a row, and what only once ==
do $$
declare
  item record;
begin
  for item in
    select * from (values
      ('whatsapp_sessions', 'session_health_is_a_percentage', 'Health is a number from 0 to 100; Herald sets it.'),
      ('whatsapp_sessions', 'session_warmup_is_sensible', 'A warm-up takes 1 to 90 days.'),
      ('whatsapp_sessions', 'whatsapp_sessions_connected_is_known',
        'An account that is connected has a WhatsApp id and the time since when; Herald sets them.'),
      ('whatsapp_sessions', 'whatsapp_sessions_daily_limit_check', 'Choose a daily limit from 0 to 100,000 messages.'),
      ('whatsapp_sessions', 'whatsapp_sessions_desired_state_check',
        'An account is wanted connected, disconnected or logged_out.'),
      ('whatsapp_sessions', 'whatsapp_sessions_display_name_check',
        'The account''s name is too long: up to 200 characters.'),
      ('whatsapp_sessions', 'whatsapp_sessions_min_gap_ms_check',
        'The gap between two messages is 0 to 600,000 milliseconds (ten minutes).'),
      ('whatsapp_sessions', 'whatsapp_sessions_per_group_per_minute_check',
        'Choose a limit per group and minute from 0 to 100,000 messages.'),
      ('whatsapp_sessions', 'whatsapp_sessions_phone_number_check',
        'This is no phone number with country code. Write it like +491701234567.'),
      ('whatsapp_sessions', 'whatsapp_sessions_provider_check',
        'An account''s provider is web (a linked phone) or cloud (Meta''s Cloud API).'),
      ('whatsapp_sessions', 'whatsapp_sessions_qr_code_check', 'A QR code is a PNG as a data URI; Herald sets it.'),
      ('whatsapp_sessions', 'whatsapp_sessions_qr_only_while_pending',
        'QR and pairing codes are shown only while the account waits to be linked.'),
      ('whatsapp_sessions', 'whatsapp_sessions_retry_count_check', 'Retries are counted from 0.'),
      ('whatsapp_sessions', 'whatsapp_sessions_status_check',
        'An account is disconnected, connecting, qr_pending, connected, logged_out, banned or error.'),
      ('whatsapp_groups', 'whatsapp_groups_group_jid_check', 'A group''s id ends in @g.us.'),
      ('whatsapp_groups', 'whatsapp_groups_participant_count_check', 'Members are counted from 0.'),
      ('whatsapp_groups', 'whatsapp_groups_session_id_group_jid_key', 'This account knows the group already.'),
      ('scheduled_whatsapp_messages', 'message_delivered_has_time',
        'A message that is delivered has the time when; Herald sets it.'),
      ('scheduled_whatsapp_messages', 'message_expires_after_its_time',
        'A message must expire after the time for which it is scheduled. Choose a later expires_at.'),
      ('scheduled_whatsapp_messages', 'message_failed_says_why',
        'A message that failed or is in doubt says why; Herald sets it.'),
      ('scheduled_whatsapp_messages', 'message_has_content',
        'A message needs a text, a file or a payload. Write something, or choose a template.'),
      ('scheduled_whatsapp_messages', 'message_has_one_recipient',
        'A message goes to exactly one: a group, a contact or a phone number.'),
      ('scheduled_whatsapp_messages', 'message_media_has_kind',
        'A file needs both its URL (media_url) and what it is (media_kind).'),
      ('scheduled_whatsapp_messages', 'message_media_kind_is_known',
        'A file is an image, video, document, audio or voice.'),
      ('scheduled_whatsapp_messages', 'message_mentions_are_few', 'Mention 1 to 1,024 members, or none.'),
      ('scheduled_whatsapp_messages', 'message_payload_names_its_kind',
        'A payload is a location, contact, poll, reaction, edit or delete.'),
      ('scheduled_whatsapp_messages', 'message_quotes_an_id',
        'The id of the message that this one answers has 1 to 200 characters.'),
      ('scheduled_whatsapp_messages', 'message_read_has_time',
        'A message that was read has the time when; Herald sets it.'),
      ('scheduled_whatsapp_messages', 'message_sent_is_known',
        'A message that was sent has WhatsApp''s id and the time when; Herald sets them.'),
      ('scheduled_whatsapp_messages', 'message_template_variables_are_an_object',
        'The template''s values are an object, like {"name": "Asha"}.'),
      ('scheduled_whatsapp_messages', 'scheduled_whatsapp_messages_idempotency_key_check',
        'An idempotency key has 1 to 200 characters.'),
      ('scheduled_whatsapp_messages', 'scheduled_whatsapp_messages_organization_id_idempotency_key_key',
        'This message is queued already (same idempotency key): nothing has to be done.'),
      ('scheduled_whatsapp_messages', 'scheduled_whatsapp_messages_max_retries_check', 'Choose 0 to 20 retries.'),
      ('scheduled_whatsapp_messages', 'scheduled_whatsapp_messages_message_content_check',
        'The text is too long: up to 65,536 characters.'),
      ('scheduled_whatsapp_messages', 'scheduled_whatsapp_messages_message_type_check',
        'A message''s type has 1 to 60 characters.'),
      ('scheduled_whatsapp_messages', 'scheduled_whatsapp_messages_priority_check',
        'Choose a priority from 1 to 10; 10 goes first.'),
      ('scheduled_whatsapp_messages', 'scheduled_whatsapp_messages_recipient_phone_check',
        'This is no phone number with country code. Write it like +491701234567.'),
      ('scheduled_whatsapp_messages', 'scheduled_whatsapp_messages_retry_count_check', 'Retries are counted from 0.'),
      ('scheduled_whatsapp_messages', 'scheduled_whatsapp_messages_status_check',
        'A message is pending, sending, sent, delivered, read, failed, cancelled or in_doubt.'),
      ('whatsapp_delivery_logs', 'whatsapp_delivery_logs_message_id_recipient_key',
        'A message has one delivery row a recipient.'),
      ('whatsapp_commands', 'command_failed_says_why', 'A request that failed says why; Herald sets it.'),
      ('whatsapp_commands', 'pairing_code_names_a_phone',
        'A pairing code is made for a phone number: give it in arguments, like {"phone": "+491701234567"}.'),
      ('whatsapp_commands', 'whatsapp_commands_arguments_check', 'The arguments of a request are an object.'),
      ('whatsapp_commands', 'whatsapp_commands_kind_check', 'There is no request of this kind to an account.'),
      ('whatsapp_commands', 'whatsapp_commands_state_check', 'A request is pending, running, done or failed.'),
      ('workshop_automation_config', 'config_in_doubt_policy_is_known',
        'Messages in doubt are settled by a person (person) or by the account''s own phone (own_phone).'),
      ('workshop_automation_config', 'config_log_retention_is_sensible', 'Logs are kept for 1 to 3,650 days.'),
      ('workshop_automation_config', 'config_message_schedule_is_valid',
        'The message schedule can''t be read. Each type needs "at" (like "08:00") or "offset" (like "-6 hours"), and may have "day" (-30 to 30), "late" (1 minute to 7 days), "template" and "enabled".'),
      ('workshop_automation_config', 'config_opt_out_words_are_few',
        'Give 1 to 50 opt-out words: people must be able to opt out.'),
      ('workshop_automation_config', 'config_pause_reason_is_short',
        'The reason for the pause is too long: up to 500 characters.'),
      ('workshop_automation_config', 'config_quiet_hours_are_valid',
        'Quiet hours need two different times, like {"start": "21:00", "end": "08:00"}.'),
      ('workshop_automation_config', 'config_retention_is_sensible',
        'Texts are kept for 1 to 3,650 days, or for good if this is empty.'),
      ('workshop_automation_config', 'config_timezone_is_known',
        'This time zone isn''t known. Choose one like Europe/Berlin.'),
      ('workshop_automation_config', 'workshop_automation_config_organization_id_key',
        'The organisation has its settings already: change those.'),
      ('whatsapp_contacts', 'contact_attributes_are_an_object',
        'Attributes of a contact are an object, like {"city": "Lisbon"}.'),
      ('whatsapp_contacts', 'contact_can_be_reached',
        'A contact needs a phone number (or the JID or LID that WhatsApp knows them by).'),
      ('whatsapp_contacts', 'contact_engagement_is_a_percentage', 'Engagement is a number from 0 to 100.'),
      ('whatsapp_contacts', 'contact_jid_is_one', 'A contact''s JID is digits and @s.whatsapp.net.'),
      ('whatsapp_contacts', 'contact_lid_is_one', 'A contact''s LID is digits and @lid.'),
      ('whatsapp_contacts', 'contact_name_is_short', 'The contact''s name is too long: up to 200 characters.'),
      ('whatsapp_contacts', 'contact_opt_in_source_is_short',
        'The source of the opt-in is too long: up to 200 characters.'),
      ('whatsapp_contacts', 'contact_opt_out_source_is_short',
        'The source of the opt-out is too long: up to 200 characters.'),
      ('whatsapp_contacts', 'contact_persona_is_short', 'The persona is too long: up to 100 characters.'),
      ('whatsapp_contacts', 'contact_phone_is_e164',
        'This is no phone number with country code. Write it like +491701234567.'),
      ('whatsapp_contacts', 'whatsapp_contacts_organization_id_jid_key', 'There is a contact with this JID already.'),
      ('whatsapp_contacts', 'whatsapp_contacts_organization_id_lid_key', 'There is a contact with this LID already.'),
      ('whatsapp_contacts', 'whatsapp_contacts_organization_id_phone_key',
        'There is a contact with this phone number already. Change that one instead.'),
      ('whatsapp_group_members', 'whatsapp_group_members_group_id_contact_id_key',
        'This person is on the group''s list already.'),
      ('whatsapp_message_templates', 'template_category_is_known',
        'A template''s category is MARKETING, UTILITY or AUTHENTICATION.'),
      ('whatsapp_message_templates', 'template_components_are_a_list',
        'The components of a template are a list, as Meta defines them.'),
      ('whatsapp_message_templates', 'template_description_is_short',
        'The description is too long: up to 1,000 characters.'),
      ('whatsapp_message_templates', 'template_has_content', 'A template needs a text of up to 4,096 characters.'),
      ('whatsapp_message_templates', 'template_language_is_a_code', 'A language is a code like en or pt_BR.'),
      ('whatsapp_message_templates', 'template_media_is_https',
        'The template''s file needs an address that begins with https://.'),
      ('whatsapp_message_templates', 'template_meta_status_is_known',
        'Meta''s review is PENDING, APPROVED, REJECTED, PAUSED or DISABLED.'),
      ('whatsapp_message_templates', 'template_name_is_plain',
        'A template''s name has up to 100 small letters, digits and underscores, like payment_reminder.'),
      ('whatsapp_message_templates', 'template_usage_is_counted', 'Uses are counted from 0.'),
      ('whatsapp_message_templates', 'template_name_is_unique',
        'There is a template with this name and language already. Change that one, or choose another name.'),
      ('whatsapp_campaigns', 'campaign_audience_is_an_object',
        'A campaign''s audience is an object, the filter on contacts.'),
      ('whatsapp_campaigns', 'campaign_counts_are_counts', 'A campaign''s figures are counted from 0.'),
      ('whatsapp_campaigns', 'campaign_has_a_name', 'A campaign needs a name of up to 200 characters.'),
      ('whatsapp_campaigns', 'campaign_state_is_known', 'A campaign is a draft, running, paused, done or cancelled.'),
      ('whatsapp_campaign_sessions', 'campaign_session_priority_is_1_to_10',
        'Choose a priority from 1 to 10; 10 goes first.'),
      ('whatsapp_campaign_sessions', 'whatsapp_campaign_sessions_campaign_id_session_id_key',
        'This account serves the campaign already.'),
      ('whatsapp_conversations', 'conversation_is_with_one', 'A conversation is with one contact or with one group.'),
      ('whatsapp_conversations', 'conversation_last_message_is_short',
        'The summary of the last message has up to 500 characters.'),
      ('whatsapp_conversations', 'conversation_unread_is_a_count', 'Unread messages are counted from 0.'),
      ('whatsapp_conversations', 'whatsapp_conversations_session_id_contact_id_key',
        'This account has a conversation with the contact already.'),
      ('whatsapp_conversations', 'whatsapp_conversations_session_id_group_id_key',
        'This account has a conversation with the group already.'),
      ('whatsapp_messages', 'inbox_content_fits', 'The text is too long: up to 65,536 characters.'),
      ('whatsapp_messages', 'inbox_direction_is_known', 'A message is inbound or outbound.'),
      ('whatsapp_messages', 'inbox_kind_is_short', 'A message''s kind has 1 to 40 characters.'),
      ('whatsapp_messages', 'inbox_status_is_known',
        'A message of the inbox is received, sent, delivered, read or failed.'),
      ('whatsapp_messages', 'inbox_message_comes_once', 'This message is in the inbox already.'),
      ('whatsapp_cloud_accounts', 'cloud_business_account_id_is_a_number',
        'The WhatsApp Business account id is a number; Meta''s Business Manager shows it.'),
      ('whatsapp_cloud_accounts', 'cloud_phone_number_id_is_a_number',
        'The phone number id is a number (not the phone number itself); Meta''s developer page shows it.'),
      ('whatsapp_cloud_accounts', 'cloud_quality_is_known',
        'A number''s quality is GREEN, YELLOW, RED or UNKNOWN; Meta tells it.'),
      ('whatsapp_cloud_accounts', 'cloud_tier_is_known', 'A tier is 250, 2K, 10K, 100K or unlimited; Meta tells it.'),
      ('whatsapp_cloud_accounts', 'whatsapp_cloud_accounts_phone_number_id_key',
        'This Cloud API number is linked to an account already.'),
      ('whatsapp_cloud_accounts', 'whatsapp_cloud_accounts_session_id_key',
        'This account has its Cloud API number already.'),
      ('whatsapp_webhook_events', 'webhook_event_attempts_are_counted', 'Attempts are counted from 0.'),
      ('whatsapp_webhook_events', 'whatsapp_webhook_events_dedup_key_key', 'This event was received already.'),
      ('whatsapp_session_users', 'whatsapp_session_users_session_id_user_id_key',
        'This person may see the account already.'),
      ('whatsapp_alerts', 'alert_details_are_an_object', 'The details of an alert are an object.'),
      ('whatsapp_alerts', 'alert_kind_is_plain', 'An alert''s kind has up to 60 small letters, digits and hyphens.'),
      ('whatsapp_alerts', 'alert_says_what', 'An alert needs a message of up to 1,000 characters.'),
      ('whatsapp_alerts', 'alert_severity_is_known', 'An alert is info, warning or critical.'),
      ('whatsapp_audit_logs', 'audit_event_data_is_an_object', 'The data of an audit row are an object.'),
      ('whatsapp_audit_logs', 'audit_event_type_is_plain',
        'An audit event''s type is in small letters, like session.created.'),
      ('whatsapp_webhook_endpoints', 'endpoint_description_is_short',
        'The description is too long: up to 500 characters.'),
      ('whatsapp_webhook_endpoints', 'endpoint_is_https',
        'A webhook needs an address of up to 2,000 characters that begins with https://.'),
      ('whatsapp_webhook_endpoints', 'whatsapp_webhook_endpoints_organization_id_url_key',
        'This address is registered already.'),
      ('whatsapp_automation_tasks', 'task_failed_says_why', 'A task that failed says why; Herald sets it.'),
      ('whatsapp_automation_tasks', 'task_metadata_is_an_object', 'A task''s metadata are an object.'),
      ('whatsapp_automation_tasks', 'task_queued_is_a_count', 'Queued messages are counted from 0.'),
      ('whatsapp_automation_tasks', 'task_recipient_filter_is_an_object',
        'The filter of recipients is an object, like {"status": "registered"}; {} is everybody.'),
      ('whatsapp_automation_tasks', 'task_rule_is_short', 'The name of a rule has 1 to 60 characters.'),
      ('whatsapp_automation_tasks', 'task_status_is_known',
        'A task is pending, executing, done, failed or cancelled.'),
      ('whatsapp_automation_tasks', 'task_type_is_known', 'A task is a send_reminder, send_update or check_in_prep.'),
      ('whatsapp_automation_tasks', 'whatsapp_automation_tasks_workshop_id_rule_key',
        'The workshop has this rule''s task already.')
    ) as w (name, rule, words)
  loop
    execute format('comment on constraint %I on public.%I is %L', item.rule, item.name, item.words);
  end loop;
end
$$;
comment on index public.workshops_organization_id_id_key is 'There is a workshop with this id already.';
comment on index public.whatsapp_alerts_open_key is
'There is an open alert of this kind for the account already: Herald counts it up instead.';

-- The tables that the baseline made, known by their comments. A CRM's own table says what it wants itself.
do $$
declare
  item record;
begin
  for item in
    select w.*, t.oid as relation from (values
      ('organizations', 'organizations_name_check', 'An organisation needs a name of up to 200 characters.'),
      ('profiles', 'profiles_role_check', 'A role is owner, admin, member or super_admin.'),
      ('workshops', 'workshops_title_check', 'A workshop needs a title of up to 300 characters.'),
      ('workshop_attendees', 'workshop_attendees_attributes_check',
        'Attributes of an attendee are an object, like {"ticket": "early"}.'),
      ('workshop_attendees', 'workshop_attendees_name_check',
        'The attendee''s name is too long: up to 200 characters.'),
      ('workshop_attendees', 'workshop_attendees_phone_check',
        'This is no phone number with country code. Write it like +491701234567.'),
      ('workshop_attendees', 'workshop_attendees_status_check',
        'An attendee is registered, attended, cancelled or no_show.'),
      ('workshop_attendees', 'workshop_attendees_workshop_id_phone_key',
        'This number is on the workshop''s list already.'),
      ('notification_queue', 'notification_by_whatsapp_has_a_phone',
        'A notification by WhatsApp needs a phone number.'),
      ('notification_queue', 'notification_queue_attempts_check', 'Attempts are counted from 0.'),
      ('notification_queue', 'notification_queue_max_attempts_check', 'Choose 1 to 20 attempts.'),
      ('notification_queue', 'notification_queue_message_data_check',
        'message_data is an object of the template''s values, like {"name": "Asha"}.'),
      ('notification_queue', 'notification_queue_priority_check', 'Choose a priority from 1 to 10; 10 goes first.'),
      ('notification_queue', 'notification_queue_recipient_name_check',
        'The recipient''s name is too long: up to 200 characters.'),
      ('notification_queue', 'notification_queue_recipient_phone_check',
        'This is no phone number with country code. Write it like +491701234567.'),
      ('notification_queue', 'notification_queue_status_check',
        'A notification is pending, processing, sent, delivered, failed or cancelled.'),
      ('notification_queue', 'notification_queue_template_check', 'Name a template, in up to 200 characters.'),
      ('notification_queue', 'notification_queue_type_check',
        'A notification needs a type of up to 60 characters, like whatsapp.'),
      ('notification_queue', 'notification_sent_is_known', 'A notification that was sent needs the time when.')
    ) as w (name, rule, words)
    join pg_catalog.pg_class as t on t.relname = w.name and t.relnamespace = 'public'::regnamespace
    where obj_description(t.oid, 'pg_class') in (
      'A customer of the CRM; every row of Herald belongs to one.',
      'A CRM user and the role that they have in their organisation.',
      'An event of the organisation, possibly with a WhatsApp group.',
      'Who comes to a workshop; automation queues one message each.',
      'A CRM''s own notifications. Those of type whatsapp become messages; their status comes back here.'
    )
  loop
    execute format('comment on constraint %I on public.%I is %L', item.rule, item.name, item.words);
  end loop;
end
$$;

-- == what a row names, and the keys that are only there to be named ==
-- By the last column of a foreign key: the one that isn't shared by all.
do $$
declare
  item record;
begin
  for item in
    select k.conname, t.relname as name, case
        when k.contype = 'u' then 'There is a row with this id already.'
        when k.confdeltype = 'a' and c.attname = 'session_id'
          then 'There is no such account in the organisation; or it has messages and can''t be deleted: log it out instead.'
        when k.confdeltype = 'a' and c.attname = 'group_id'
          then 'The group is not one of this account; or it has messages and can''t be deleted.'
        else case c.attname
          when 'organization_id' then 'There is no such organisation.'
          when 'session_id' then 'There is no such account in the organisation. Choose one of its accounts.'
          when 'group_id' then 'The group is not one of the organisation or of this account. Refresh the groups.'
          when 'whatsapp_group_id' then 'The group is not one of the organisation. Refresh the groups and choose again.'
          when 'contact_id' then 'There is no such contact in the organisation.'
          when 'sender_contact_id' then 'There is no such contact in the organisation.'
          when 'campaign_id' then 'There is no such campaign in the organisation.'
          when 'workshop_id' then 'There is no such workshop in the organisation.'
          when 'template_id' then 'There is no such template. Choose one of the organisation or of the system.'
          when 'conversation_id' then 'There is no such conversation of this account.'
          when 'message_id' then 'There is no such message in the queue.'
          when 'scheduled_message_id' then 'There is no such message in the queue.'
          else 'There is no such user.'
        end
      end as words
    from pg_catalog.pg_constraint as k
    join pg_catalog.pg_class as t on t.oid = k.conrelid
    join pg_catalog.pg_attribute as c on c.attrelid = k.conrelid and c.attnum = k.conkey[cardinality(k.conkey)]
    where k.connamespace = 'public'::regnamespace
      and (k.contype = 'f' or k.contype = 'u' and c.attname = 'id')
      and (
        t.relname like 'whatsapp\_%' or t.relname in ('scheduled_whatsapp_messages', 'workshop_automation_config')
        or k.conname = 'workshops_whatsapp_group_id_fkey'
        or obj_description(t.oid, 'pg_class') in (
          'A CRM user and the role that they have in their organisation.',
          'An event of the organisation, possibly with a WhatsApp group.',
          'Who comes to a workshop; automation queues one message each.',
          'A CRM''s own notifications. Those of type whatsapp become messages; their status comes back here.'
        )
      )
  loop
    execute format('comment on constraint %I on public.%I is %L', item.conname, item.name, item.words);
  end loop;
end
$$;
