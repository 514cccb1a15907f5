-- Accounts that are gone, so that workers wipe what their hosts still hold of them. That an account is not in the table is no
-- proof: a worker may be pointed at another project by mistake, and would wipe live stores that are needed.

create table herald.deleted_sessions (
  session_id uuid primary key,
  deleted_at timestamptz not null
);
comment on table herald.deleted_sessions is 'Accounts that were deleted in the last year, alone or with their organisation.';
alter table herald.deleted_sessions enable row level security;

-- herald.note_deleted_sessions: keeps them for a year; a host that is away for longer has lost its live stores, which lie
-- in memory.
create function herald.note_deleted_sessions() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into herald.deleted_sessions (session_id, deleted_at) select g.id, herald.clock() from gone as g
  on conflict do nothing;
  delete from herald.deleted_sessions as d where d.deleted_at < herald.clock() - interval '1 year';
  return null;
end
$$;
create trigger note_deleted_sessions after delete on public.whatsapp_sessions
referencing old table as gone for each statement execute function herald.note_deleted_sessions();

-- whatsapp_sessions_deleted(run, sessions) → those of them that are deleted.
create function public.whatsapp_sessions_deleted(p_run uuid, p_sessions uuid[]) returns jsonb
language plpgsql stable security definer set search_path = ''
as $$
begin
  if not exists (select 1 from herald.workers as w where w.run_id = p_run) then
    raise exception 'another process has started under this WORKER_ID' using errcode = 'HR001';
  end if;
  return coalesce(
    (select jsonb_agg(d.session_id) from herald.deleted_sessions as d where d.session_id = any(p_sessions)), '[]'
  );
end
$$;
comment on function public.whatsapp_sessions_deleted(uuid, uuid[]) is
'For the worker: which of the accounts that its host has live stores of are deleted.';

revoke execute on function herald.note_deleted_sessions() from public;
revoke execute on function public.whatsapp_sessions_deleted(uuid, uuid[]) from public, anon, authenticated;
grant execute on function public.whatsapp_sessions_deleted(uuid, uuid[]) to service_role;
