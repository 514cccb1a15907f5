-- A pairing code is a key to the account for some minutes; its request does not keep it longer.

create index whatsapp_commands_codes_idx on public.whatsapp_commands (expires_at)
where kind = 'pairing_code' and result is not null;

-- herald.sweep_commands(): fails what was not served in time, what an account that is not wanted connected can't do, and
-- what its worker left behind. Forgets pairing codes after the two minutes of their request, and what ended a week ago:
-- people are named in it.
create or replace function herald.sweep_commands() returns void
language sql volatile set search_path = ''
as $$
  with stale as (
    select c.id, case
      when c.state = 'running' then 'The worker that was doing this ended, or lost the account, before it answered. '
        'It may have been done all the same: look before you ask again.'
      when c.kind = 'logout' and s.desired_state = 'logged_out' then 'No worker has logged the account out yet. '
        'It is logged out as soon as one serves it.'
      when c.kind = 'logout' then 'The account was wanted otherwise before it was logged out.'
      when c.expires_at <= herald.clock()
        then 'No worker served this in time. Check that the account is connected and try again.'
      else 'This account is not connected. Press connect first, then try again.'
    end as why
    from public.whatsapp_commands as c
    join public.whatsapp_sessions as s on s.id = c.session_id
    where c.state in ('pending', 'running') and (
      c.expires_at <= herald.clock()
      or c.state = 'running' and not exists (
        select 1 from herald.session_leases as l
        where l.session_id = c.session_id and l.run_id = c.taken_by and l.expires_at > herald.clock()
      )
      or c.state = 'pending' and case c.kind
        when 'logout' then s.desired_state = 'connected'
        else s.desired_state <> 'connected' or not s.enabled
      end
    )
    order by c.id for update of c skip locked
  )
  update public.whatsapp_commands as c set state = 'failed', error_message = stale.why
  from stale where c.id = stale.id;
  update public.whatsapp_commands as c set result = null
  where c.kind = 'pairing_code' and c.result is not null and c.expires_at <= herald.clock();
  delete from public.whatsapp_commands as c where c.id in (
    select f.id from public.whatsapp_commands as f
    where f.state in ('done', 'failed') and f.expires_at < herald.clock() - interval '7 days'
    order by f.id limit 100 for update skip locked
  )
$$;
