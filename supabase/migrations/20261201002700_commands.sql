-- Requests of an admin to the worker that holds an account: a pairing code, groups, logging out, reconnecting. They are
-- checked here, with errors in words, and each ends exactly once and in time, even if its worker dies.

create table public.whatsapp_commands (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  session_id uuid not null,
  kind text not null check (kind in (
    'pairing_code', 'refresh_groups', 'create_group', 'group_invite', 'group_members', 'update_group', 'sync_contacts',
    'logout', 'reconnect'
  )),
  arguments jsonb not null default '{}' check (jsonb_typeof(arguments) = 'object')
  constraint command_arguments_are_small check (herald.is_readable(arguments, 32768)),
  state text not null default 'pending' check (state in ('pending', 'running', 'done', 'failed')),
  result jsonb,
  error_message text,
  requested_by uuid default auth.uid(),
  taken_by uuid,
  expires_at timestamptz not null default herald.clock() + interval '2 minutes',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  foreign key (organization_id, session_id)
  references public.whatsapp_sessions (organization_id, id) on delete cascade,
  constraint command_failed_says_why check (state <> 'failed' or error_message is not null),
  constraint pairing_code_names_a_phone
  check (kind <> 'pairing_code' or coalesce(arguments ->> 'phone', '') ~ '^\+[1-9][0-9]{6,14}$')
);
create index whatsapp_commands_open_idx on public.whatsapp_commands (session_id, created_at)
where state in ('pending', 'running');
create index whatsapp_commands_organization_session_idx on public.whatsapp_commands (organization_id, session_id);
create index whatsapp_commands_finished_idx on public.whatsapp_commands (expires_at)
where state in ('done', 'failed');
create index whatsapp_commands_codes_idx on public.whatsapp_commands (expires_at)
where kind = 'pairing_code' and result is not null;
comment on table public.whatsapp_commands is
'A request to the worker that holds a session. For admins: a result may be a key to the account.';
comment on column public.whatsapp_commands.arguments is
'By kind. pairing_code: {"phone"}. create_group: {"name", "participants"?}. group_invite: {"group_jid", "reset"?}.
group_members: {"group_jid", "action": add, remove, promote or demote, "members"}. update_group: {"group_jid", "name"?,
"description"?, "announce_only"?, "locked"?}. sync_contacts: {"group_jid"}. refresh_groups, logout, reconnect: {}.
People are numbers like "+491701234567" or LIDs like "123@lid".';
comment on column public.whatsapp_commands.result is
'By kind, once done: a pairing code, how many groups there are, the group that was made, its invite link, what became of
each member, what was changed, how many contacts were found.';
comment on column public.whatsapp_commands.requested_by is 'The user who asked.';
comment on column public.whatsapp_commands.taken_by is 'The process of a worker that carries it out, or did.';
comment on column public.whatsapp_commands.expires_at is
'Until then it must be taken, and once it is running, answered; two minutes each.';
comment on constraint whatsapp_commands_pkey on public.whatsapp_commands is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint command_arguments_are_small on public.whatsapp_commands is
'The arguments are too large. Shorten them to 32,768 characters in all; numbers may have 300 digits, and lists and objects 30 levels. (herald:arguments-too-large)';
comment on constraint command_failed_says_why on public.whatsapp_commands is
'A request that failed needs an error message. Leave results to Herald: it writes them. (herald:herald-writes-it)';
comment on constraint pairing_code_names_a_phone on public.whatsapp_commands is
'A pairing code is made for a phone number, and arguments names none. Write arguments like {"phone": "+491701234567"}. (herald:pairing-needs-phone)';
comment on constraint whatsapp_commands_arguments_check on public.whatsapp_commands is
'The arguments of the request are no JSON object. Write them like {"group_jid": "123@g.us"}, or {} if there are none. (herald:arguments-no-object)';
comment on constraint whatsapp_commands_kind_check on public.whatsapp_commands is
'There is no request of this kind to an account. Use pairing_code, refresh_groups, create_group, group_invite, group_members, update_group, sync_contacts, logout or reconnect. (herald:command-kind-unknown)';
comment on constraint whatsapp_commands_state_check on public.whatsapp_commands is
'A request is pending, running, done or failed. Leave its state to Herald. (herald:herald-writes-it)';
comment on constraint whatsapp_commands_organization_id_fkey on public.whatsapp_commands is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';
comment on constraint whatsapp_commands_organization_id_session_id_fkey on public.whatsapp_commands is
'There is no such WhatsApp account in the organisation. Choose one of its accounts. (herald:account-unknown)';

alter table public.whatsapp_commands enable row level security;
create policy whatsapp_commands_select on public.whatsapp_commands for select to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_commands_insert on public.whatsapp_commands for insert to authenticated
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_commands from anon, authenticated;
grant select on public.whatsapp_commands to authenticated;
grant insert (organization_id, session_id, kind, arguments) on public.whatsapp_commands to authenticated;
grant select, insert, update, delete on public.whatsapp_commands to service_role;
create trigger touch before update on public.whatsapp_commands for each row execute function herald.touch();
call herald.keep_identity('whatsapp_commands', '{organization_id, session_id, kind}');
alter publication supabase_realtime add table public.whatsapp_commands;

-- == can the request be carried out? ==

-- herald.text_problem(value, what, least, most) → what is wrong with a text of a request; null: nothing. Lengths are in
-- characters; a description may have several lines.
create function herald.text_problem(p_value jsonb, p_what text, p_least integer, p_most integer) returns text
language sql immutable set search_path = ''
as $$
  select case
    when jsonb_typeof(p_value) is distinct from 'string' then format('"%s" must be a text.', p_what)
    when length(btrim(p_value #>> '{}')) not between p_least and p_most
      then format('"%s" must have %s to %s characters.', p_what, p_least, p_most)
    when p_value #>> '{}' ~ (case p_what when 'description' then '[\x01-\x09\x0b-\x1f\x7f]' else '[\x01-\x1f\x7f]' end)
      then format('"%s" must not have control characters.', p_what)
  end
$$;
revoke execute on function herald.text_problem(jsonb, text, integer, integer) from public;

-- herald.people_problem(value, what, least) → what is wrong with a list of people; null: nothing. At most 256 per
-- request, because WhatsApp restricts accounts that add or remove very many people.
create function herald.people_problem(p_value jsonb, p_what text, p_least integer) returns text
language plpgsql immutable set search_path = ''
as $$
declare
  wrong text;
begin
  if jsonb_typeof(p_value) is distinct from 'array' or jsonb_array_length(p_value) not between p_least and 256 then
    return format('"%s" must be a list of %s to 256 people.', p_what, p_least);
  end if;
  select left(e #>> '{}', 40) into wrong from jsonb_array_elements(p_value) as e
  where jsonb_typeof(e) <> 'string' or e #>> '{}' !~ '^(\+[1-9][0-9]{6,14}|[0-9]{1,20}@lid)$' limit 1;
  if found then
    return format(
      '"%s" has an entry that is neither a phone number with country code, like +491701234567, nor a LID, like 123@lid: %s',
      p_what, coalesce(wrong, 'null')
    );
  end if;
  return null;
end
$$;
revoke execute on function herald.people_problem(jsonb, text, integer) from public;

-- herald.command_problem(kind, arguments) → why this can't be carried out, in words; null: it can.
create function herald.command_problem(p_kind text, p_arguments jsonb) returns text
language plpgsql immutable set search_path = ''
as $$
declare
  known constant text[] := case p_kind
    when 'create_group' then '{name, participants}'
    when 'group_invite' then '{group_jid, reset}'
    when 'group_members' then '{group_jid, action, members}'
    when 'update_group' then '{group_jid, name, description, announce_only, locked}'
    when 'sync_contacts' then '{group_jid}'
  end;
  key text;
begin
  if known is null then
    return null;
  end if;
  select k into key from jsonb_object_keys(p_arguments) as k where k <> all(known) limit 1;
  if found then
    return format('%s has no argument "%s". It takes: %s.', p_kind, left(key, 40), array_to_string(known, ', '));
  end if;
  if p_kind = 'create_group' then
    return coalesce(
      herald.text_problem(p_arguments -> 'name', 'name', 1, 100),
      herald.people_problem(coalesce(p_arguments -> 'participants', '[]'), 'participants', 0)
    );
  end if;
  if coalesce(p_arguments ->> 'group_jid', '') !~ '^[0-9-]{1,40}@g\.us$' then
    return '"group_jid" must be the id of a group, like 120363000000000000@g.us.';
  end if;
  foreach key in array array['reset', 'announce_only', 'locked'] loop
    if jsonb_typeof(coalesce(p_arguments -> key, 'true')) <> 'boolean' then
      return format('"%s" must be true or false.', key);
    end if;
  end loop;
  if p_kind = 'group_members' then
    if coalesce(p_arguments ->> 'action', '') not in ('add', 'remove', 'promote', 'demote') then
      return '"action" must be add, remove, promote or demote.';
    end if;
    return herald.people_problem(p_arguments -> 'members', 'members', 1);
  elsif p_kind = 'update_group' then
    if not p_arguments ?| array['name', 'description', 'announce_only', 'locked'] then
      return 'Nothing to change: give "name", "description", "announce_only" or "locked".';
    end if;
    return coalesce(
      case when p_arguments ? 'name' then herald.text_problem(p_arguments -> 'name', 'name', 1, 100) end,
      case when p_arguments ? 'description'
        then herald.text_problem(p_arguments -> 'description', 'description', 0, 2048) end
    );
  end if;
  return null;
end
$$;
revoke execute on function herald.command_problem(text, jsonb) from public;

-- herald.command_checked: a request that can't be carried out is refused in words.
create function herald.command_checked() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  problem constant text := herald.command_problem(new.kind, new.arguments);
begin
  if problem is not null then
    raise exception '%', problem using errcode = '23514', hint = 'Correct the arguments and ask again.',
      detail = 'herald:command-arguments';
  end if;
  return new;
end
$$;
revoke execute on function herald.command_checked() from public;
create trigger command_checked before insert on public.whatsapp_commands
for each row execute function herald.command_checked();

-- herald.command_asked: runs after the policies. At most fifty open requests per account; records who asked for what.
-- A logout is kept in desired_state and outlives its request: the next worker that gets the account carries it out once,
-- even if none runs now; connecting again takes it back. A reconnect leaves desired_state connected, so that any worker
-- that gets the account opens it, even if one dies in the middle.
create function herald.command_asked() returns trigger
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
      using errcode = '23514', hint = 'Wait until they are done, then ask again.', detail = 'herald:too-many-requests';
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
        using errcode = '23514', hint = 'Disconnect it instead.', detail = 'herald:cloud-not-linked';
    elsif account.status = 'logged_out' then
      update public.whatsapp_commands as c set state = 'done', result = '{}' where c.id = new.id;
    else
      update public.whatsapp_sessions as s set desired_state = 'logged_out' where s.id = new.session_id;
    end if;
  elsif new.kind = 'reconnect' and exists (
    select 1 from public.whatsapp_sessions as s where s.id = new.session_id and s.provider = 'cloud'
  ) then
    raise exception 'A Cloud API number has no connection that could be opened again.'
      using errcode = '23514', hint = 'Look at its status instead.', detail = 'herald:cloud-no-connection';
  end if;
  return null;
end
$$;
revoke execute on function herald.command_asked() from public;
create trigger command_asked after insert on public.whatsapp_commands
for each row execute function herald.command_asked();

-- herald.logout_done: the account is logged out, so its requests for that are done.
create function herald.logout_done() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  update public.whatsapp_commands as c set state = 'done', result = '{}'
  where c.session_id = new.id and c.kind = 'logout' and c.state = 'pending';
  return null;
end
$$;
revoke execute on function herald.logout_done() from public;
create trigger logout_done after update of status on public.whatsapp_sessions
for each row when (new.status = 'logged_out' and old.status <> 'logged_out') execute function herald.logout_done();

-- == taking and ending ==

-- herald.held_back(organisation, people) → {person: why they may not be added to a group}. Somebody who opted out, or
-- has not opted in where that is needed, would get the group's messages.
create function herald.held_back(p_organization uuid, p_people jsonb) returns jsonb
language sql stable set search_path = ''
as $$
  select coalesce(jsonb_object_agg(held.person, held.why), '{}')
  from (
    select e.person, case when e.person like '+%'
      then herald.suppression(p_organization, null, e.person)
      else herald.suppression(p_organization, (
        select p.id from public.whatsapp_contacts as p where p.organization_id = p_organization and p.lid = e.person
      ), null)
    end as why
    from jsonb_array_elements_text(p_people) as e (person)
  ) as held
  where held.why is not null
$$;
revoke execute on function herald.held_back(uuid, jsonb) from public;

-- herald.sweep_commands(): fails requests that no worker served in time, that a disconnected account can't do, or that
-- their worker left behind. A reconnect that nobody answered says that the account will be opened anyway. Pairing codes
-- are keys to the account: forgotten after the two minutes of their request. Requests name people: forgotten a week after
-- they end.
create function herald.sweep_commands() returns void
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
revoke execute on function herald.sweep_commands() from public;

-- whatsapp_commands_take(run) → commands for sessions that this run holds; each is running from now on. One at a time
-- for each session, oldest first, so that changes to a group happen in the order asked. A reconnect doesn't wait for
-- other requests, because a stuck one may be the reason for it; the others wait for it. held_back: people in the request
-- who may not be added to a group, each with the reason.
create function public.whatsapp_commands_take(p_run uuid) returns jsonb
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
comment on function public.whatsapp_commands_take(uuid) is
'Commands for the sessions that this run holds; each is running from now on.';
revoke execute on function public.whatsapp_commands_take(uuid) from public, anon, authenticated;
grant execute on function public.whatsapp_commands_take(uuid) to service_role;

-- whatsapp_command_finish(run, command, result, error): error null means done. Only the run that took it may answer, even
-- if it has just handed the account over. Idempotent.
create function public.whatsapp_command_finish(p_run uuid, p_command uuid, p_result jsonb, p_error text)
returns void
language sql volatile security definer set search_path = ''
as $$
  update public.whatsapp_commands as c
  set state = case when p_error is null then 'done' else 'failed' end, result = p_result, error_message = p_error
  where c.id = p_command and c.state = 'running' and c.taken_by = p_run
$$;
comment on function public.whatsapp_command_finish(uuid, uuid, jsonb, text) is
'A command''s result; an error means it failed. Idempotent.';
revoke execute on function public.whatsapp_command_finish(uuid, uuid, jsonb, text) from public, anon, authenticated;
grant execute on function public.whatsapp_command_finish(uuid, uuid, jsonb, text) to service_role;
