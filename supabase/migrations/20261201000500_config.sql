-- What an organisation decides about its messages: one row each in workshop_automation_config.

-- herald.schedule_problem(message_schedule) → what is wrong with it in words, null if nothing. An object of
-- type → {"at": "08:00", "day": -1} (local time; day 0 is the workshop's own) or {"offset": "-6 hours"} from the start,
-- with "late" (how late it may still go), "template" (name, the type's own by default), "enabled".
create function herald.schedule_problem(p_schedule jsonb) returns text
language plpgsql immutable set search_path = ''
as $$
declare
  entry record;
begin
  if jsonb_typeof(p_schedule) is distinct from 'object' then
    return 'message_schedule must be an object of message types';
  end if;
  if (select count(*) from jsonb_object_keys(p_schedule)) > 50 then
    return 'message_schedule may have 50 message types at most';
  end if;
  for entry in select e.key, e.value from jsonb_each(p_schedule) as e loop
    if jsonb_typeof(entry.value) <> 'object' or length(entry.key) not between 1 and 60 then
      return format('"%s" must be an object', entry.key);
    end if;
    if exists (
      select 1 from jsonb_object_keys(entry.value) as k
      where k not in ('at', 'day', 'offset', 'late', 'template', 'enabled')
    ) then
      return format('"%s" may have at, day, offset, late, template and enabled only', entry.key);
    end if;
    if exists (select 1 from jsonb_each_text(entry.value) as v where length(v.value) > 100) then
      return format('"%s" has a value of more than 100 characters', entry.key);
    end if;
    if (entry.value ? 'at') = (entry.value ? 'offset') then
      return format('"%s" needs either "at" (a local time) or "offset" (from the start)', entry.key);
    end if;
    begin
      if entry.value ? 'at' and entry.value ->> 'at' !~ '^([01][0-9]|2[0-3]):[0-5][0-9]$' then
        return format('"at" of "%s" must be a time like 08:00', entry.key);
      end if;
      if entry.value ? 'day' and (entry.value ->> 'day')::integer not between -30 and 30 then
        return format('"day" of "%s" must be from -30 to 30', entry.key);
      end if;
      if entry.value ? 'offset'
        and (entry.value ->> 'offset')::interval not between interval '-30 days' and interval '30 days' then
        return format('"offset" of "%s" must be within 30 days of the start', entry.key);
      end if;
      if coalesce((entry.value ->> 'late')::interval, interval '1 hour')
        not between interval '1 minute' and interval '7 days' then
        return format('"late" of "%s" must be from 1 minute to 7 days', entry.key);
      end if;
      if entry.value ? 'enabled' and jsonb_typeof(entry.value -> 'enabled') <> 'boolean' then
        return format('"enabled" of "%s" must be true or false', entry.key);
      end if;
    exception when others then
      return format('"%s" has a value that is no time, number or interval', entry.key);
    end;
  end loop;
  return null;
end
$$;
revoke execute on function herald.schedule_problem(jsonb) from public;
grant execute on function herald.schedule_problem(jsonb) to authenticated, service_role;

create table public.workshop_automation_config (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null unique references public.organizations (id) on delete cascade,
  auto_schedule_messages boolean not null default true,
  default_workshop_time time not null default '19:00',
  timezone text not null default 'UTC'
  constraint config_timezone_is_known check (herald.is_timezone(timezone)),
  message_schedule jsonb not null default '{
    "morning": {"at": "08:00", "late": "4 hours"},
    "6hr_before": {"offset": "-6 hours", "late": "3 hours"},
    "1hr_before": {"offset": "-1 hour", "late": "45 minutes"},
    "we_are_live": {"offset": "0 minutes", "late": "30 minutes"},
    "thank_you": {"offset": "3 hours", "late": "24 hours"}
  }' constraint config_message_schedule_is_valid check (herald.schedule_problem(message_schedule) is null),
  quiet_hours jsonb constraint config_quiet_hours_are_valid check (quiet_hours is null or herald.is_quiet_hours(quiet_hours)),
  opt_out_words text[] not null default '{stop,unsubscribe}'
  constraint config_opt_out_words_are_few check (cardinality(opt_out_words) between 1 and 50)
  constraint config_opt_out_words_are_short check (herald.is_list(opt_out_words, 50, 100)),
  require_opt_in boolean not null default false,
  private_sessions boolean not null default false,
  retention_days integer constraint config_retention_is_sensible check (retention_days between 1 and 3650),
  log_retention_days integer not null default 90
  constraint config_log_retention_is_sensible check (log_retention_days between 1 and 3650),
  in_doubt_policy text not null default 'person'
  constraint config_in_doubt_policy_is_known check (in_doubt_policy in ('person', 'own_phone')),
  unreadable_policy text not null default 'show'
  constraint config_unreadable_policy_is_known check (unreadable_policy in ('show', 'resend_direct')),
  paused_until timestamptz
  constraint config_paused_until_is_a_date check (paused_until at time zone 'UTC' between '1900-01-01' and '9999-12-31 23:59:59.999999'),
  pause_reason text constraint config_pause_reason_is_short check (length(pause_reason) <= 500),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.workshop_automation_config is
'One row per organisation, created with it: when its workshop messages go out, quiet hours, opt-out words, retention.';
comment on column public.workshop_automation_config.timezone is 'IANA name; for quiet hours and workshops without a zone.';
comment on column public.workshop_automation_config.message_schedule is
'Per message type: {"at": "08:00", "day": 0} or {"offset": "-6 hours"}, "late": how late it may still go, "template", "enabled".';
comment on column public.workshop_automation_config.quiet_hours is
'{"start": "21:00", "end": "08:00", "exempt": ["we_are_live"]}, local time: nothing else goes out between them. Null: none.';
comment on column public.workshop_automation_config.opt_out_words is
'A person who writes one of these is suppressed at once.';
comment on column public.workshop_automation_config.private_sessions is
'Members see only the accounts that they own or are assigned to.';
comment on column public.workshop_automation_config.retention_days is 'Days after which texts are redacted; null keeps them.';
comment on column public.workshop_automation_config.in_doubt_policy is
'Who settles a message in doubt: a person, or the account''s own phone if it confirms every send.';
comment on column public.workshop_automation_config.paused_until is 'Until then nothing of this organisation goes out.';
comment on constraint workshop_automation_config_pkey on public.workshop_automation_config is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on column public.workshop_automation_config.unreadable_policy is
'What follows when a member of a group can''t read a message: the message shows it, or the member also gets it directly, if they have opted in and have a chat with the account.';
comment on constraint config_unreadable_policy_is_known on public.workshop_automation_config is
'unreadable_policy is neither show nor resend_direct. Choose one of them. (herald:unreadable-policy-unknown)';
comment on constraint config_in_doubt_policy_is_known on public.workshop_automation_config is
'Nobody of this name settles messages in doubt. Use person, or own_phone for the account''s own phone. (herald:in-doubt-policy-unknown)';
comment on constraint config_log_retention_is_sensible on public.workshop_automation_config is
'Logs can''t be kept for this many days. Choose 1 to 3,650 days. (herald:log-retention-days)';
comment on constraint config_message_schedule_is_valid on public.workshop_automation_config is
'The message schedule can''t be read. Each type needs "at" (like "08:00") or "offset" (like "-6 hours"), and may have "day" (-30 to 30), "late" (1 minute to 7 days), "template" and "enabled"; 50 types at most. (herald:schedule-invalid)';
comment on constraint config_opt_out_words_are_few on public.workshop_automation_config is
'There are too many opt-out words, or none. Give 1 to 50: people must be able to opt out. (herald:opt-out-words-count)';
comment on constraint config_opt_out_words_are_short on public.workshop_automation_config is
'An opt-out word is too long, or empty in the list. Give a plain list of words of up to 100 characters. (herald:opt-out-word-too-long)';
comment on constraint config_paused_until_is_a_date on public.workshop_automation_config is
'"paused_until" is no time that can be kept. Choose a time in the years 1900 to 9999. (herald:time-out-of-range)';
comment on constraint config_pause_reason_is_short on public.workshop_automation_config is
'The reason for the pause is too long. Shorten it to 500 characters. (herald:pause-reason-too-long)';
comment on constraint config_quiet_hours_are_valid on public.workshop_automation_config is
'The quiet hours can''t be read. Give two different times, like {"start": "21:00", "end": "08:00"}, or null for none. (herald:quiet-hours-invalid)';
comment on constraint config_retention_is_sensible on public.workshop_automation_config is
'Texts can''t be kept for this many days. Choose 1 to 3,650 days, or null to keep them. (herald:retention-days)';
comment on constraint config_timezone_is_known on public.workshop_automation_config is
'There is no such time zone. Choose a name like Europe/Berlin. (herald:timezone-unknown)';
comment on constraint workshop_automation_config_organization_id_key on public.workshop_automation_config is
'The organisation has its settings already. Update that row instead. (herald:settings-exist)';
comment on constraint workshop_automation_config_organization_id_fkey on public.workshop_automation_config is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';

alter table public.workshop_automation_config enable row level security;
create policy workshop_automation_config_select on public.workshop_automation_config for select to authenticated
using (organization_id in (select herald.my_organizations()) or (select herald.is_super_admin()));
create policy workshop_automation_config_insert on public.workshop_automation_config for insert to authenticated
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy workshop_automation_config_update on public.workshop_automation_config for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.workshop_automation_config from anon, authenticated, service_role;
grant select on public.workshop_automation_config to authenticated;
grant insert (
  organization_id, auto_schedule_messages, default_workshop_time, timezone, message_schedule, quiet_hours, opt_out_words,
  require_opt_in, private_sessions, retention_days, log_retention_days, in_doubt_policy, unreadable_policy, paused_until, pause_reason
) on public.workshop_automation_config to authenticated;
grant update (
  auto_schedule_messages, default_workshop_time, timezone, message_schedule, quiet_hours, opt_out_words,
  require_opt_in, private_sessions, retention_days, log_retention_days, in_doubt_policy, unreadable_policy, paused_until, pause_reason
) on public.workshop_automation_config to authenticated;
grant select, insert, update, delete on public.workshop_automation_config to service_role;
create trigger touch before update on public.workshop_automation_config for each row execute function herald.touch();
call herald.keep_identity('workshop_automation_config', '{organization_id}');

-- Every organisation gets a row: those that exist, and each new one.
create function herald.organization_configured() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.workshop_automation_config (organization_id) values (new.id) on conflict do nothing;
  return null;
end
$$;
revoke execute on function herald.organization_configured() from public;
create trigger whatsapp_configured after insert on public.organizations
for each row execute function herald.organization_configured();

-- The organisations that a CRM has already.
insert into public.workshop_automation_config (organization_id) select o.id from public.organizations as o;
