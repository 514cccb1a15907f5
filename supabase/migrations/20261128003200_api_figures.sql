-- What Prometheus may know of the whole database: counts, and nothing that names an organisation.

-- whatsapp_api_figures() → {"queue": {state: messages}, "accounts": {status: accounts}, "oldest": {"": seconds}}.
create function public.whatsapp_api_figures() returns jsonb
language sql stable security definer set search_path = '' set jit = off
as $$
  select jsonb_build_object(
    'queue', jsonb_build_object(
      'pending', coalesce(sum(q.pending), 0), 'due', coalesce(sum(q.due), 0), 'sending', coalesce(sum(q.sending), 0),
      'stuck', coalesce(sum(q.stuck), 0), 'in_doubt', coalesce(sum(q.in_doubt), 0)
    ),
    'oldest', jsonb_build_object('', coalesce(extract(epoch from herald.clock() - min(q.oldest_due_at)), 0)),
    'accounts', (
      select coalesce(jsonb_object_agg(s.status, s.many), '{}')
      from (select a.status, count(*) as many from public.whatsapp_sessions as a group by a.status) as s
    )
  )
  from herald.queue_overview() as q
$$;
comment on function public.whatsapp_api_figures() is
'For the worker''s metrics: how much of what is open, over all organisations.';
revoke execute on function public.whatsapp_api_figures() from public, anon, authenticated;
grant execute on function public.whatsapp_api_figures() to service_role;
