-- Every pair of statuses, as the worker and as an admin: a step is refused unless the table has it.
create temporary table pairs as
select o as old_status, n as new_status, r as role, pg_temp.message(o) as message,
  exists (
    select 1 from herald.message_status_steps as s
    where s.old_status = o and s.new_status = n and (s.by_person or r = 'service_role')
  ) as legal
from unnest('{pending,sending,sent,delivered,read,failed,cancelled,in_doubt}'::text[]) as o
cross join unnest('{pending,sending,sent,delivered,read,failed,cancelled,in_doubt}'::text[]) as n
cross join unnest('{authenticated,service_role}'::text[]) as r
where o <> n;
grant select on pairs to public;
select is(count(*) filter (where p.legal and p.role = 'authenticated'), 4::bigint, 'a person has four steps')
from pairs as p;
select is(count(*) filter (where p.legal and p.role = 'service_role'), 18::bigint, 'there are eighteen steps')
from pairs as p;

select pg_temp.speak('service_role');
select case when p.legal
  then lives_ok(s.step, format('the worker takes %s to %s', p.old_status, p.new_status))
  else throws_ok(s.step, '23514', format('A message that is %s can''t become %s.', p.old_status, p.new_status),
    format('nobody takes %s to %s', p.old_status, p.new_status))
end
from pairs as p cross join lateral (select format(
  'update public.scheduled_whatsapp_messages set status = %L, error_code = ''x'', sent_at = now(), delivered_at = now(),'
  ' read_at = now(), wa_message_id = ''x'' where id = %L', p.new_status, p.message
) as step) as s
where p.role = 'service_role';

select pg_temp.speak('authenticated', 'admin');
select case when p.legal
  then lives_ok(s.step, format('a person takes %s to %s', p.old_status, p.new_status))
  else throws_ok(s.step, '23514', format('A message that is %s can''t become %s.', p.old_status, p.new_status),
    format('no person takes %s to %s', p.old_status, p.new_status))
end
from pairs as p cross join lateral (select format(
  'update public.scheduled_whatsapp_messages set status = %L where id = %L', p.new_status, p.message
) as step) as s
where p.role = 'authenticated';
