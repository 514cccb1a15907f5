-- A project in use: every table of the first version has rows, as its worker and its CRM left them.
-- In flight: the glazing account's message (its worker goes on) and the weaving account's (its worker was killed).
insert into public.organizations (id, name) values
('00000000-0000-0000-0000-0000000000a1', 'Pottery'), ('00000000-0000-0000-0000-0000000000a2', 'Weaving');
insert into auth.users (id, email) values
('00000000-0000-0000-0000-0000000000b1', 'owner@py.test'), ('00000000-0000-0000-0000-0000000000b2', 'admin@py.test'),
('00000000-0000-0000-0000-0000000000b3', 'member@py.test'), ('00000000-0000-0000-0000-0000000000b4', 'super@py.test'),
('00000000-0000-0000-0000-0000000000b5', 'other@py.test');
insert into public.profiles (id, organization_id, role, full_name) values
('00000000-0000-0000-0000-0000000000b1', '00000000-0000-0000-0000-0000000000a1', 'owner', 'Olga'),
('00000000-0000-0000-0000-0000000000b2', '00000000-0000-0000-0000-0000000000a1', 'admin', 'Adam'),
('00000000-0000-0000-0000-0000000000b3', '00000000-0000-0000-0000-0000000000a1', 'member', 'Mira'),
('00000000-0000-0000-0000-0000000000b4', null, 'super_admin', 'Sam'),
('00000000-0000-0000-0000-0000000000b5', '00000000-0000-0000-0000-0000000000a2', 'admin', 'Ann');

-- Accounts: two that serve (c1, c2), one of the other organisation (c3), one that shows a QR (c4), one never linked (c5).
insert into public.whatsapp_sessions (id, organization_id, owner_id, display_name, desired_state, min_gap_ms) values
('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1',
  '00000000-0000-0000-0000-0000000000b1', 'Glazing', 'connected', 0),
('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000a1', null, null, 'connected', 2000),
('00000000-0000-0000-0000-0000000000c3', '00000000-0000-0000-0000-0000000000a2', null, 'Loom', 'connected', 0),
('00000000-0000-0000-0000-0000000000c4', '00000000-0000-0000-0000-0000000000a1', null, null, 'connected', 0),
('00000000-0000-0000-0000-0000000000c5', '00000000-0000-0000-0000-0000000000a2', null, null, 'disconnected', 0);
update public.whatsapp_sessions set daily_limit = 3, paused_until = now() + interval '1 day', pause_reason = 'holidays'
where id = '00000000-0000-0000-0000-0000000000c5';

-- Two workers: the first goes on, the second (it has the other organisation's account) is killed.
select public.whatsapp_worker_start('first', '00000000-0000-0000-0000-0000000000d1', '0.1.0');
select public.whatsapp_worker_start('second', '00000000-0000-0000-0000-0000000000d2', '0.1.0');
update public.whatsapp_sessions set enabled = false where id = '00000000-0000-0000-0000-0000000000c3';
select public.whatsapp_heartbeat('00000000-0000-0000-0000-0000000000d1', 10, 3600);
update public.whatsapp_sessions set enabled = true where id = '00000000-0000-0000-0000-0000000000c3';
select public.whatsapp_heartbeat('00000000-0000-0000-0000-0000000000d2', 10, 3600);
select
  public.whatsapp_session_attach(l.run_id, l.session_id, l.epoch, l.session_id),
  public.whatsapp_session_report(l.run_id, l.session_id, l.epoch, jsonb_build_object(
    'status', 'connected', 'whatsapp_id', '49170' || right(l.session_id::text, 2) || '@s.whatsapp.net',
    'phone_number', '+4917000000' || (case right(l.session_id::text, 1) when '1' then '01' when '2' then '02' else '03' end)
  )),
  public.whatsapp_credentials_write(l.run_id, l.session_id, l.epoch, 1, encode(sha256('sealed'), 'base64'), 'k1',
    l.session_id, false),
  public.whatsapp_groups_sync(l.run_id, l.session_id, l.epoch,
    '[{"jid": "1@g.us", "name": "Glazing, June", "participants": 12, "is_admin": true}, {"jid": "2@g.us"}]')
from herald.session_leases as l
where l.session_id in (
  '00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000c3'
);
select public.whatsapp_session_report(
  l.run_id, l.session_id, l.epoch,
  jsonb_build_object('status', 'qr_pending', 'qr_code', 'data:image/png;base64,AA==', 'qr_expires_at', now())
) from herald.session_leases as l where l.session_id = '00000000-0000-0000-0000-0000000000c4';

insert into public.workshops (organization_id, title, starts_at, timezone, whatsapp_group_id, automation_status)
select g.organization_id, g.group_jid, now() + interval '3 days', 'Europe/Berlin', g.id, '{"by": "hand"}'
from public.whatsapp_groups as g where g.session_id <> '00000000-0000-0000-0000-0000000000c2';
insert into public.workshops (organization_id, title, starts_at)
values ('00000000-0000-0000-0000-0000000000a1', 'No group', now() - interval '1 year');
update public.whatsapp_groups set region = 'north', segments = '{vip}', tags = '{june}', invite_link = 'https://chat.whatsapp.com/x';

-- Messages in every status, to people and groups, with and without all that is optional.
insert into public.scheduled_whatsapp_messages
(organization_id, session_id, recipient_phone, message_content, scheduled_for, priority)
select s.organization_id, s.id, '+491701234567', 'In flight', now() - interval '1 minute', 10
from public.whatsapp_sessions as s where s.display_name in ('Glazing', 'Loom');
select public.whatsapp_claim('00000000-0000-0000-0000-0000000000d1', 50);
select public.whatsapp_claim('00000000-0000-0000-0000-0000000000d2', 50);
insert into public.scheduled_whatsapp_messages
(organization_id, session_id, recipient_phone, recipient_name, message_content, status, scheduled_for, expires_at,
  retry_count, next_attempt_at, wa_message_id, error_code, error_message, sent_at, delivered_at, read_at, sent_by,
  idempotency_key, priority)
select
  s.organization_id, s.id, '+49170765432' || n, case when n > 1 then 'Noah' end, v.status || n, v.status,
  now() - interval '1 day' * (n - 2), case when n = 1 then now() + interval '9 days' end, n - 1,
  case when v.status = 'pending' and n = 3 then now() + interval '1 hour' end,
  case when v.sent or v.status = 'in_doubt' then 'WA' || v.status || n || s.organization_id end,
  v.error, case when v.error is not null then 'In words.' end,
  case when v.sent then now() - interval '2 hours' end,
  case when v.status in ('delivered', 'read') then now() - interval '1 hour' end,
  case when v.status = 'read' then now() end,
  case when n = 2 then '00000000-0000-0000-0000-0000000000b2'::uuid end, v.status || n || s.id, n
from public.whatsapp_sessions as s
cross join generate_series(1, 3) as n
cross join (values
  ('pending', false, null), ('sent', true, null), ('delivered', true, null), ('read', true, null),
  ('failed', false, 'rejected'), ('cancelled', false, null), ('in_doubt', false, 'worker-lost')
) as v (status, sent, error)
where s.display_name in ('Glazing', 'Loom');
insert into public.scheduled_whatsapp_messages
(organization_id, session_id, group_id, workshop_id, message_type, media_url, media_kind, scheduled_for, status)
select w.organization_id, g.session_id, g.id, w.id, 'morning', 'https://example.org/kiln.png', 'image', w.starts_at,
  case when g.group_jid = '1@g.us' then 'pending' else 'cancelled' end
from public.workshops as w join public.whatsapp_groups as g on g.id = w.whatsapp_group_id;
insert into public.scheduled_whatsapp_messages (organization_id, session_id, recipient_phone, message_content)
values ('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-0000000000c2', '+491709999999', 'Due');

select public.whatsapp_receipts('00000000-0000-0000-0000-0000000000d1', jsonb_agg(jsonb_build_object(
  'session_id', m.session_id, 'wa_message_id', m.wa_message_id, 'recipient', m.id || '@s.whatsapp.net',
  'kind', case m.status when 'read' then 'read' else 'delivered' end, 'at', now()
))) from public.scheduled_whatsapp_messages as m where m.status in ('delivered', 'read');
select public.whatsapp_receipts('00000000-0000-0000-0000-0000000000d1', jsonb_build_array(jsonb_build_object(
  'session_id', '00000000-0000-0000-0000-0000000000c1', 'wa_message_id', 'WA-in-flight',
  'recipient', '491701234567@s.whatsapp.net', 'kind', 'delivered', 'at', now()
)));
insert into public.whatsapp_commands (organization_id, session_id, kind, arguments, state, result, error_message)
select s.organization_id, s.id, 'pairing_code', '{"phone": "+491701234567"}', v.state, v.result::jsonb, v.error
from public.whatsapp_sessions as s
cross join (values
  ('pending', null, null), ('running', null, null), ('done', '{"pairing_code": "ABCD"}', null), ('failed', null, 'Late.')
) as v (state, result, error);
