-- A worker claims, settles and is fenced off.
select pg_temp.message();
select pg_temp.message();
select pg_temp.speak('service_role');
select lives_ok($$select public.whatsapp_worker_start('one', '00000000-0000-0000-0000-0000000000e1', '0')$$, 'a worker starts');
select is(jsonb_array_length(public.whatsapp_heartbeat('00000000-0000-0000-0000-0000000000e1', 10, 3600)), 2,
  'and takes what is wanted');
select is(public.whatsapp_claim('00000000-0000-0000-0000-0000000000e1', 50), '[]'::jsonb,
  'nothing goes out before the account is connected');
select lives_ok($$select public.whatsapp_session_attach('00000000-0000-0000-0000-0000000000e1',
  '00000000-0000-0000-0000-0000000000c1', 1, gen_random_uuid())$$, 'its store is known');
select ok(public.whatsapp_session_report('00000000-0000-0000-0000-0000000000e1', '00000000-0000-0000-0000-0000000000c1', 1,
  '{"status": "connected", "whatsapp_id": "49170@s.whatsapp.net"}'), 'it reports the account connected');

create temporary table claimed as
select public.whatsapp_claim('00000000-0000-0000-0000-0000000000e1', 50) as claims;
create function pg_temp.settle(p_run text, p_outcome text) returns jsonb language sql as $$
  select public.whatsapp_settle(('00000000-0000-0000-0000-0000000000' || p_run)::uuid, jsonb_build_array(
    jsonb_build_object('message_id', c.claims -> 0 -> 'message_id', 'token', c.claims -> 0 -> 'token',
      'outcome', p_outcome, 'wa_message_id', '3EB0A1', 'at', now())))
  from claimed as c
$$;
select is(jsonb_array_length(c.claims), 1, 'a web account has one in flight') from claimed as c;
select is(public.whatsapp_claim('00000000-0000-0000-0000-0000000000e1', 50), '[]'::jsonb, 'and no second');
select is(pg_temp.settle('e2', 'accepted'), '[]'::jsonb, 'another run settles nothing');
select is(jsonb_array_length(pg_temp.settle('e1', 'accepted')), 1, 'the holder settles');
select is(pg_temp.settle('e1', 'rejected'), '[]'::jsonb, 'only once');
select is(m.status, 'sent', 'it is sent') from public.scheduled_whatsapp_messages as m, claimed as c
where m.id = (c.claims -> 0 ->> 'message_id')::uuid;
select lives_ok($$select public.whatsapp_receipts('00000000-0000-0000-0000-0000000000e1',
  '[{"session_id": "00000000-0000-0000-0000-0000000000c1", "wa_message_id": "3EB0A1",
  "recipient": "491701234567@s.whatsapp.net", "kind": "read", "at": "2030-01-01T00:00:00Z"}]')$$, 'a receipt comes');
select is(m.status || m.read_count, 'read1', 'it is read') from public.scheduled_whatsapp_messages as m, claimed as c
where m.id = (c.claims -> 0 ->> 'message_id')::uuid;

update claimed set claims = public.whatsapp_claim('00000000-0000-0000-0000-0000000000e1', 50);
select is(jsonb_array_length(c.claims), 1, 'the next is claimed') from claimed as c;
select lives_ok($$select public.whatsapp_worker_start('one', '00000000-0000-0000-0000-0000000000e3', '0')$$, 'it restarts');
select throws_ok($$select public.whatsapp_heartbeat('00000000-0000-0000-0000-0000000000e1', 10, 3600)$$, 'HR001', null,
  'its earlier process is told');
select is(pg_temp.settle('e1', 'accepted'), '[]'::jsonb, 'and settles nothing any more');
select lives_ok($$select public.whatsapp_heartbeat('00000000-0000-0000-0000-0000000000e3', 10, 3600)$$, 'it takes its own back');
select is(public.whatsapp_claims_adopt('00000000-0000-0000-0000-0000000000e3', '00000000-0000-0000-0000-0000000000c1', 2)
  -> 0 -> 'former_token', c.claims -> 0 -> 'token', 'with what was in flight') from claimed as c;
select ok(public.whatsapp_reap() is not null, 'reaping runs');
