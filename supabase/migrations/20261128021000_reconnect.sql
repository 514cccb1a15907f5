-- Closing an account's connection and opening it again is one request to its holder. desired_state stays connected all
-- the while: whatever dies in the middle, whoever gets the account opens it.

alter table public.whatsapp_commands drop constraint whatsapp_commands_kind_check;
alter table public.whatsapp_commands add constraint whatsapp_commands_kind_check check (kind in (
  'pairing_code', 'refresh_groups', 'create_group', 'group_invite', 'group_members', 'update_group', 'sync_contacts',
  'logout', 'reconnect'
)) not valid;
alter table public.whatsapp_commands validate constraint whatsapp_commands_kind_check;
comment on constraint whatsapp_commands_kind_check on public.whatsapp_commands is
'There is no request of this kind to an account.';
comment on column public.whatsapp_commands.arguments is
'By kind. pairing_code: {"phone"}. create_group: {"name", "participants"?}. group_invite: {"group_jid", "reset"?}.
group_members: {"group_jid", "action": add, remove, promote or demote, "members"}. update_group: {"group_jid", "name"?,
"description"?, "announce_only"?, "locked"?}. sync_contacts: {"group_jid"}. refresh_groups, logout, reconnect: {}.
People are numbers like "+491701234567" or LIDs like "123@lid".';

-- herald.command_asked: as before; a Cloud API number has no connection.
create or replace function herald.command_asked() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  account record;
begin
  if (
    select count(*) from public.whatsapp_commands as c
    where c.session_id = new.session_id and c.state in ('pending', 'running') and c.expires_at > herald.clock()
  ) > 50 then
    raise exception 'This account has fifty requests waiting already.'
      using errcode = '23514', hint = 'Wait until they are done, then ask again.';
  end if;
  if new.kind not in ('pairing_code', 'refresh_groups') then
    perform herald.audit(new.organization_id, 'session.asked', new.session_id, jsonb_build_object(
      'kind', new.kind, 'group', new.arguments ->> 'group_jid', 'action', new.arguments ->> 'action',
      'people', jsonb_array_length(coalesce(new.arguments -> 'members', new.arguments -> 'participants'))
    ));
  end if;
  if new.kind = 'logout' then
    select s.status, s.provider into account from public.whatsapp_sessions as s where s.id = new.session_id;
    if account.provider = 'cloud' then
      raise exception 'A Cloud API number is not linked to a phone, so there is nothing to log out.'
        using errcode = '23514', hint = 'Disconnect it instead.';
    elsif account.status = 'logged_out' then
      update public.whatsapp_commands as c set state = 'done', result = '{}' where c.id = new.id;
    else
      update public.whatsapp_sessions as s set desired_state = 'logged_out' where s.id = new.session_id;
    end if;
  elsif new.kind = 'reconnect' and exists (
    select 1 from public.whatsapp_sessions as s where s.id = new.session_id and s.provider = 'cloud'
  ) then
    raise exception 'A Cloud API number has no connection that could be opened again.'
      using errcode = '23514', hint = 'Look at its status instead.';
  end if;
  return null;
end
$$;

-- herald.sweep_commands(): as before; a reconnection that nobody answered says that the account is opened all the same.
create or replace function herald.sweep_commands() returns void
language sql volatile set search_path = ''
as $$
  with stale as (
    select c.id, case
      when c.kind = 'reconnect' and s.desired_state = 'connected' and s.enabled
        then 'No worker has answered this in time. The account is connected as soon as one serves it.'
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

-- whatsapp_commands_take(run) → commands for sessions that this run holds; each is running from now on. One at a time for
-- each session, oldest first, so that what is asked of a group happens in that order. A reconnection waits for no other
-- request, which may be why it was asked for; the others wait for it. held_back: people of it who may not be put into a
-- group, each with the reason.
create or replace function public.whatsapp_commands_take(p_run uuid) returns jsonb
language plpgsql volatile security definer set search_path = ''
as $$
declare
  answer jsonb;
begin
  perform herald.sweep_commands();
  with taken as (
    update public.whatsapp_commands as c
    set state = 'running', taken_by = p_run, expires_at = herald.clock() + interval '2 minutes'
    where c.id in (
      select p.id from public.whatsapp_commands as p
      join herald.session_leases as l on l.session_id = p.session_id
      where p.state = 'pending' and p.kind <> 'logout' and l.run_id = p_run and l.expires_at > herald.clock()
        and not exists (
          select 1 from public.whatsapp_commands as o
          where o.session_id = p.session_id and o.kind <> 'logout' and (p.kind <> 'reconnect' or o.kind = 'reconnect')
            and (o.state = 'running' or o.state = 'pending' and (o.created_at, o.id) < (p.created_at, p.id))
        )
      order by p.created_at limit 50
      for update of p skip locked
    )
    returning c.id, c.organization_id, c.session_id, c.kind, c.arguments, c.created_at
  )
  select jsonb_agg(jsonb_build_object(
    'id', t.id, 'session_id', t.session_id, 'kind', t.kind, 'arguments', t.arguments,
    'held_back', case
      when t.kind = 'create_group' then herald.held_back(t.organization_id, coalesce(t.arguments -> 'participants', '[]'))
      when t.kind = 'group_members' and t.arguments ->> 'action' = 'add'
        then herald.held_back(t.organization_id, t.arguments -> 'members')
      else '{}'
    end
  ) order by t.created_at, t.id) into answer from taken as t;
  return coalesce(answer, '[]'::jsonb);
end
$$;
