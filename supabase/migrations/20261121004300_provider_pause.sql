-- A provider that finds an account too fast is obeyed by the whole account, from the exchange on that says so.

-- whatsapp_settle_and_claim: both in one round trip → {"settled": […], "claims": […], "next_due": seconds or null}. When as
-- many were claimed as asked for, there may be more at once: looking for it would cost a tenth of the call. A result
-- with pause (seconds) holds its account back before anything is claimed again; a longer pause that is there stays.
create or replace function public.whatsapp_settle_and_claim(p_run uuid, p_results jsonb, p_limit integer) returns jsonb
language plpgsql volatile security definer set search_path = '' set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  settled jsonb := '[]';
  claims jsonb;
begin
  if jsonb_array_length(p_results) > 0 then
    update public.whatsapp_sessions as s
    set paused_until = herald.clock() + make_interval(secs => r.pause),
      pause_reason = 'WhatsApp found this account too fast.'
    from jsonb_to_recordset(p_results) as r (message_id uuid, token uuid, pause double precision)
    join herald.message_claims as c on c.message_id = r.message_id and c.token = r.token and c.run_id = p_run
    join herald.session_leases as l on l.session_id = c.session_id and l.run_id = c.run_id and l.epoch = c.epoch
    where s.id = c.session_id and r.pause > 0
      and (s.paused_until is null or s.paused_until < herald.clock() + make_interval(secs => r.pause));
    settled := public.whatsapp_settle(p_run, p_results);
  end if;
  claims := public.whatsapp_claim(p_run, p_limit);
  return jsonb_build_object('settled', settled, 'claims', claims, 'next_due',
    case when p_limit > 0 and jsonb_array_length(claims) >= p_limit then 0.001 else herald.next_due(p_run) end);
end
$$;
