-- Who sees and writes what, by the tables that carry the most.
select pg_temp.message();
create temporary table seen (table_name text);
insert into seen values
('whatsapp_sessions'), ('whatsapp_groups'), ('scheduled_whatsapp_messages'), ('workshop_automation_config');
grant select on seen to public;
create function pg_temp.rows_of(p_table text, p_organization text) returns bigint language plpgsql as $$
declare
  many bigint;
begin
  execute format('select count(*) from public.%I where organization_id = %L', p_table,
    '00000000-0000-0000-0000-0000000000' || p_organization) into many;
  return many;
end
$$;

select pg_temp.speak('authenticated', 'admin');
select is(pg_temp.rows_of(s.table_name, 'a1'), 1::bigint, 'an admin sees their ' || s.table_name) from seen as s;
select is(pg_temp.rows_of(s.table_name, 'a2'), 0::bigint, 'an admin sees no other''s ' || s.table_name) from seen as s;
select lives_ok($$insert into public.whatsapp_sessions (organization_id) values ('00000000-0000-0000-0000-0000000000a1')$$,
  'an admin adds an account');
select throws_ok($$insert into public.whatsapp_sessions (organization_id) values ('00000000-0000-0000-0000-0000000000a2')$$,
  '42501', null, 'an admin adds none to another organisation');
select throws_ok($$insert into public.scheduled_whatsapp_messages
  (organization_id, session_id, recipient_phone, message_content) values ('00000000-0000-0000-0000-0000000000a1',
  '00000000-0000-0000-0000-0000000000c2', '+491701234567', 'Hi')$$, '23503', null, 'an admin uses no other''s account');
select throws_ok($$insert into public.scheduled_whatsapp_messages
  (organization_id, session_id, group_id, message_content) values ('00000000-0000-0000-0000-0000000000a1',
  '00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000d2', 'Hi')$$,
  '23503', null, 'an admin writes to no other''s group');
select throws_ok($$update public.scheduled_whatsapp_messages set delivered_count = 9$$, '42501', null,
  'an admin writes no counter');
select throws_ok($$update public.whatsapp_sessions set status = 'connected'$$, '42501', null, 'an admin writes no status');
select throws_ok($$select 1 from herald.session_credentials$$, '42501', null, 'an admin reads no credentials');
select throws_ok($$select public.whatsapp_reap()$$, '42501', null, 'an admin calls nothing of the worker''s');
select throws_ok($$select * from herald.workshop_attendees(gen_random_uuid())$$, '42501', null,
  'an admin asks the adapter for nobody''s attendees');

select pg_temp.speak('authenticated', 'member');
select is(pg_temp.rows_of('scheduled_whatsapp_messages', 'a1'), 1::bigint, 'a member sees the queue');
select is(pg_temp.rows_of('whatsapp_sessions', 'a1'), 0::bigint, 'a member sees no QR');
select is(count(*), 1::bigint, 'a member sees accounts without their keys') from public.whatsapp_session_overview
where id = '00000000-0000-0000-0000-0000000000c1';
select throws_ok($$insert into public.whatsapp_sessions (organization_id) values ('00000000-0000-0000-0000-0000000000a1')$$,
  '42501', null, 'a member adds no account');

select pg_temp.speak('authenticated', 'other');
select is(pg_temp.rows_of(s.table_name, 'a1'), 0::bigint, 'another''s admin sees no ' || s.table_name) from seen as s;
select pg_temp.speak('authenticated', 'super');
select is(pg_temp.rows_of('whatsapp_sessions', o), case o when 'a1' then 2 else 1 end::bigint, 'a super admin sees ' || o)
from unnest('{a1,a2}'::text[]) as o;

select pg_temp.speak('anon');
select throws_ok(format('select 1 from public.%I', s.table_name), '42501', null, 'a visitor reads no ' || s.table_name)
from seen as s;
