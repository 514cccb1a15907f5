-- The queue's own indexes: only what no step of a message changes, so that a step writes none of them.

drop index
  public.messages_pending_idx, public.messages_due_idx, public.messages_expiring_idx, public.messages_in_doubt_idx,
  public.messages_open_idx, public.messages_wa_id_idx, public.messages_template_pending_idx, public.messages_unredacted_idx;
create index messages_template_idx on public.scheduled_whatsapp_messages (template_id) where template_id is not null;
create index messages_unredacted_idx on public.scheduled_whatsapp_messages (organization_id, scheduled_for)
where redacted_at is null;
-- Room on each page for the next step of a row.
alter table public.scheduled_whatsapp_messages set (fillfactor = 80);
