-- Before every file: two organisations with their people, an account each, and a group. Rolled back with the file.
insert into public.organizations (id, name) values
('00000000-0000-0000-0000-0000000000a1', 'Pottery'), ('00000000-0000-0000-0000-0000000000a2', 'Weaving');
insert into auth.users (id, email) values
('00000000-0000-0000-0000-0000000000b1', 'admin@tap.test'), ('00000000-0000-0000-0000-0000000000b2', 'member@tap.test'),
('00000000-0000-0000-0000-0000000000b3', 'other@tap.test'), ('00000000-0000-0000-0000-0000000000b4', 'super@tap.test');
insert into public.profiles (id, organization_id, role) values
('00000000-0000-0000-0000-0000000000b1', '00000000-0000-0000-0000-0000000000a1', 'admin'),
('00000000-0000-0000-0000-0000000000b2', '00000000-0000-0000-0000-0000000000a1', 'member'),
('00000000-0000-0000-0000-0000000000b3', '00000000-0000-0000-0000-0000000000a2', 'admin'),
('00000000-0000-0000-0000-0000000000b4', null, 'super_admin');
insert into public.whatsapp_sessions (id, organization_id, desired_state, min_gap_ms) values
('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'connected', 0),
('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000a2', 'connected', 0);
insert into public.whatsapp_groups (id, organization_id, session_id, group_jid) values
('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a1',
  '00000000-0000-0000-0000-0000000000c1', '1@g.us'),
('00000000-0000-0000-0000-0000000000d2', '00000000-0000-0000-0000-0000000000a2',
  '00000000-0000-0000-0000-0000000000c2', '1@g.us');

-- speak(role, person): from now on, as PostgREST would for them. hush(): as postgres again.
create function pg_temp.speak(p_role text, p_person text default null) returns void language sql as $$
  select set_config('request.jwt.claims', jsonb_strip_nulls(jsonb_build_object(
    'role', p_role, 'sub', '00000000-0000-0000-0000-0000000000' || case p_person
      when 'admin' then 'b1' when 'member' then 'b2' when 'other' then 'b3' when 'super' then 'b4' end
  ))::text, true), set_config('role', p_role, true)
$$;
create function pg_temp.hush() returns void language sql as $$
  select set_config('request.jwt.claims', '', true), set_config('role', 'postgres', true)
$$;
-- message(status) → the id of a new one of Pottery's that is so.
create function pg_temp.message(p_status text default 'pending') returns uuid language sql as $$
  insert into public.scheduled_whatsapp_messages
  (organization_id, session_id, recipient_phone, message_content, status, sent_at, delivered_at, read_at, wa_message_id,
    error_code)
  select '00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-0000000000c1', '+491701234567', 'The kiln is hot',
    p_status, g.at, case when p_status <> 'sent' then g.at end, case when p_status = 'read' then g.at end, g.wa,
    case when p_status in ('failed', 'in_doubt') then 'x' end
  from (values (case when p_status in ('sent', 'delivered', 'read') then now() end,
    case when p_status in ('sent', 'delivered', 'read') then '3EB0' end)) as g (at, wa)
  returning id
$$;
