-- A local stand-in for pg_net 0.19: the script of `create extension pg_net`. Tables, signatures and refusals are the
-- hosted ones; the gateway (gateway/net.py) sends what a committed transaction left in the queue.

create schema net;

create domain net.http_method as text
  check (value ilike 'get' or value ilike 'post' or value ilike 'delete');

create table net.http_request_queue (
  id bigserial,
  method net.http_method not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds int not null
);
create table net._http_response (
  id bigint,
  status_code int,
  content_type text,
  headers jsonb,
  content text,
  timed_out boolean,
  error_msg text,
  created timestamptz not null default now()
);
create index on net._http_response (created);
comment on table net._http_response is 'What came back, for six hours.';

create function net._urlencode_string(string text) returns text
language sql immutable strict set search_path = '' as $$
  select coalesce(string_agg(
    case when octet in (45, 46, 95, 126) or octet between 48 and 57 or octet between 65 and 90
           or octet between 97 and 122
         then chr(octet) else '%' || upper(lpad(to_hex(octet), 2, '0')) end, '' order by place), '')
  from (
    select place, get_byte(convert_to(string, 'utf8'), place) as octet
    from generate_series(0, octet_length(convert_to(string, 'utf8')) - 1) as place
  ) octets
$$;

-- _enqueue(…) → the request's id. The gateway hears of it when the transaction commits, and never if it doesn't.
create function net._enqueue(
  p_method text, p_url text, p_params jsonb, p_headers jsonb, p_body jsonb, p_timeout_milliseconds int
) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  made bigint;
  query text := (
    select string_agg(net._urlencode_string(p.key) || '=' || net._urlencode_string(p.value), '&')
    from jsonb_each_text(p_params) p
  );
begin
  if p_url !~* '^https?://' then
    raise exception 'Couldn''t resolve proxy name or bad URL: %', p_url using errcode = '22023',
      hint = 'Give an http:// or https:// address.';
  end if;
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values (p_method,
          p_url || coalesce(case when position('?' in p_url) > 0 then '&' else '?' end || query, ''),
          p_headers, convert_to(p_body::text, 'utf8'), p_timeout_milliseconds)
  returning id into made;
  perform pg_notify('localstack_net', '');
  return made;
end $$;

create function net.http_get(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds int default 5000
) returns bigint language sql as $$
  select net._enqueue('GET', url, params, headers, null, timeout_milliseconds)
$$;
create function net.http_delete(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds int default 5000,
  body jsonb default null
) returns bigint language sql as $$
  select net._enqueue('DELETE', url, params, headers, body, timeout_milliseconds)
$$;
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}',
  headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds int default 5000
) returns bigint language plpgsql as $$
declare
  kind text := (
    select h.value from jsonb_each_text(coalesce(headers, '{}')) h where lower(h.key) = 'content-type' limit 1
  );
begin
  if kind is null then
    headers := coalesce(headers, '{}') || '{"Content-Type": "application/json"}';
  elsif kind <> 'application/json' then
    raise exception 'Content-Type header must be "application/json"';
  end if;
  if body is null then
    raise exception 'body must not be null';
  end if;
  return net._enqueue('POST', url, params, headers, body, timeout_milliseconds);
end $$;

revoke execute on all functions in schema net from public;
grant usage on schema net to postgres, anon, authenticated, service_role;
grant execute on all functions in schema net to postgres, anon, authenticated, service_role;
grant all on all tables in schema net to postgres;
grant all on all sequences in schema net to postgres;
