-- What a name, a type and a reference don't tell: comments for the first schema's columns and functions.

comment on column herald.account_holds.day_limit is
'How many it may send in 24 hours today: less than daily_limit while it warms up or isn''t well.';
comment on column herald.claim_bodies.body is 'A claimed message as the worker''s Claim reads it.';
comment on column herald.cloud_recipients.business_account_id is
'Meta''s id of the business, whose numbers share a tier.';
comment on column herald.early_receipts.wa_message_id is 'WhatsApp''s id of the message that it is about.';
comment on column herald.forgotten_opt_outs.phone_hash is 'HMAC-SHA256 of the E.164 number.';
comment on column herald.limit_windows.span is 'Over how long a limit counts.';
comment on column herald.limit_windows.width is
'The step in which it counts; a send leaves the count up to one step late.';
comment on column herald.message_claims.token is 'Fences the settle: a result with another token is ignored.';
comment on column herald.message_claims.run_id is 'The worker process that holds the claim.';
comment on column herald.message_claims.epoch is 'That of the session''s lease when it was claimed.';
comment on column herald.message_claims.incarnation is 'The live store that it was sent from.';
comment on column herald.message_claims.secret is
'Put into the message before it is sent: found in the store after a crash, it proves that the send began.';
comment on column herald.send_counts.subject is
'The id of the account, group or organisation that the rule counts for.';
comment on column herald.send_counts.sent is 'How many within this step.';
comment on column herald.session_credentials.generation is
'Grows by one with every write; a write that does not follow is refused.';
comment on column herald.session_credentials.sealed is 'Ciphertext: opens only with the operator''s ENCRYPTION_KEY.';
comment on column herald.session_credentials.key_id is 'Which of ENCRYPTION_KEYS wrapped its data key.';
comment on column herald.session_credentials.incarnation is 'The live store that it is a copy of.';
comment on column herald.session_leases.worker_id is 'The holder, or the last one: it goes first when it comes back.';
comment on column herald.session_leases.run_id is 'The process that holds it; null: nobody.';
comment on column herald.session_leases.epoch is 'Grows with every acquisition; a write with an older one is refused.';
comment on column herald.workers.worker_id is 'Its WORKER_ID setting, by default the host''s name.';
comment on column herald.workers.run_id is
'The one process that may write now; an earlier one of this WORKER_ID is fenced off.';

comment on column public.scheduled_whatsapp_messages.priority is '1 to 10; 10 goes first.';
comment on column public.scheduled_whatsapp_messages.max_retries is
'How often a refused send is tried again before it fails.';
comment on column public.scheduled_whatsapp_messages.wa_message_id is 'WhatsApp''s id, once it was sent.';
comment on column public.scheduled_whatsapp_messages.sent_by is 'The user who scheduled it; null: a rule or a server.';
comment on column public.whatsapp_alerts.details is 'Facts about the case, for a screen or a program.';
comment on column public.whatsapp_alerts.acknowledged_by is 'The user who has seen it.';
comment on column public.whatsapp_audit_logs.actor_id is 'The user who did it; null: a server or a rule.';
comment on column public.whatsapp_audit_logs.event_data is 'What was done, without message bodies and secrets.';
comment on column public.whatsapp_automation_tasks.metadata is 'The CRM''s own notes. Execution adds bad_phones and suppressed: how many it left out.';
comment on column public.whatsapp_campaign_sessions.priority is '1 to 10; the account with the highest serves first.';
comment on column public.whatsapp_campaigns.created_by is 'The user who made it.';
comment on column public.whatsapp_cloud_accounts.phone_number_id is 'Meta''s id of the number.';
comment on column public.whatsapp_cloud_accounts.business_account_id is 'Meta''s id of the WhatsApp business account.';
comment on column public.whatsapp_commands.arguments is 'By kind: pairing_code takes {"phone": "+491701234567"}.';
comment on column public.whatsapp_commands.result is
'By kind, once done: a pairing code, or how many groups there are.';
comment on column public.whatsapp_commands.requested_by is 'The user who asked.';
comment on column public.whatsapp_contacts.lid is 'WhatsApp''s id that hides the number: 123@lid.';
comment on column public.whatsapp_contacts.jid is 'WhatsApp''s id by number: 491701234567@s.whatsapp.net.';
comment on column public.whatsapp_contacts.engagement_score is '0 to 100, the CRM''s judgement.';
comment on column public.whatsapp_contacts.attributes is 'The CRM''s own facts about the person, for filters.';
comment on column public.whatsapp_delivery_logs.session_id is
'The account that sent it; kept after the account is gone.';
comment on column public.whatsapp_groups.group_jid is 'WhatsApp''s id of the group: 120363…@g.us.';
comment on column public.whatsapp_groups.segments is 'The CRM''s own.';
comment on column public.whatsapp_groups.tags is 'The CRM''s own.';
comment on column public.whatsapp_message_templates.components is
'Header, body and buttons as Meta''s template API takes them.';
comment on column public.whatsapp_message_templates.meta_template_id is 'Meta''s id, once submitted.';
comment on column public.whatsapp_messages.wa_message_id is 'WhatsApp''s id of the message.';
comment on column public.whatsapp_messages.quoted_message_id is 'WhatsApp''s id of the message that this one answers.';
comment on column public.whatsapp_sessions.whatsapp_id is 'JID of the linked account, with its device.';
comment on column public.whatsapp_sessions.daily_limit is 'Most messages in any 24 hours; further ones wait.';
comment on column public.whatsapp_webhook_events.dedup_key is 'Made from the event: the same event is stored once.';
comment on column public.whatsapp_webhook_events.payload is 'As Meta sent it.';
comment on column public.whatsapp_webhook_events.attempts is 'How often it was processed in vain.';
comment on column public.workshop_automation_config.opt_out_words is
'A person who writes one of these is suppressed at once.';
comment on column public.workshops.automation_status is
'What Herald has planned for this workshop; it writes it for the CRM to show.';

comment on function public.whatsapp_claims_adopt(uuid, uuid, bigint) is
'Claims that an earlier holder of the session left, now this run''s: to be looked up and settled, never sent.';
comment on function public.whatsapp_claims_extend(uuid, uuid[]) is
'Keeps claims that are still being sent; those still held.';
comment on function public.whatsapp_claims_return(uuid, uuid[]) is
'Sends back to pending the claims that this run does not know of, because the answer to its claim was lost.';
comment on function public.whatsapp_command_finish(uuid, uuid, jsonb, text) is
'A command''s result; an error means it failed. Idempotent.';
comment on function public.whatsapp_commands_take(uuid) is
'Commands for the sessions that this run holds; each is running from now on.';
comment on function public.whatsapp_credentials_forget(uuid, uuid, bigint) is
'The device was unlinked: its sealed state opens nothing any more.';
comment on function public.whatsapp_credentials_read(uuid, uuid, bigint) is
'The newest sealed state of a session that the run holds, or null.';
comment on function public.whatsapp_credentials_write(uuid, uuid, bigint, bigint, text, text, uuid, boolean) is
'Stores a sealed state under the lease, compare-and-swap on generation: HR003 if it does not follow the stored one.';
comment on function public.whatsapp_groups_sync(uuid, uuid, bigint, jsonb) is
'All groups that the account is in; those that are gone become inactive. How many there are.';
comment on function public.whatsapp_heartbeat(uuid, integer, double precision) is
'Renews the run''s leases and takes wanted sessions that nobody holds, up to its capacity; all that it holds.';
comment on function public.whatsapp_lease_release(uuid, uuid, bigint) is 'Gives a session back. Idempotent.';
comment on function public.whatsapp_reap() is
'Fails what is past its time, puts in doubt what a dead worker left for ten minutes, forgets old receipts; the counts.';
comment on function public.whatsapp_receipts(uuid, jsonb) is
'Receipts as they came: delivered, read, played, or the account''s own other device.';
comment on function public.whatsapp_session_attach(uuid, uuid, bigint, uuid) is
'The holder works on this live store from now on.';
comment on function public.whatsapp_session_report(uuid, uuid, bigint, jsonb) is
'What the holder saw of the account. False: the number is not the account''s own, and nothing is written.';
comment on function public.whatsapp_settle(uuid, jsonb) is
'What came of sends. Idempotent by token; the ids of the messages that it settled.';
comment on function public.whatsapp_settle_and_claim(uuid, jsonb, integer) is
'Settle and claim in one round trip, and in how many seconds the next message is due.';
comment on function public.whatsapp_worker_start(text, uuid, text) is
'This process is the worker of this WORKER_ID now; an earlier one is fenced off and gives its sessions up.';
