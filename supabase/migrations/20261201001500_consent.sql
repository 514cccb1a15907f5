-- Consent: a person who opts out gets nothing more until they take it back, even after their data is erased.

create extension if not exists supabase_vault;

-- == what remains of a person whose data was erased ==
-- A plain hash of a phone number can be reversed by trying all numbers. So the hash is keyed, and the key is in the
-- Vault, outside of dumps of these tables.
do $$
begin
  if not exists (select 1 from vault.secrets as s where s.name = 'herald_phone_hash_key') then
    perform vault.create_secret(
      encode(extensions.gen_random_bytes(32), 'hex'), 'herald_phone_hash_key',
      'Herald: key of the hashes by which an opt-out outlives the erasure of the person. Losing it loses those opt-outs.'
    );
  end if;
end
$$;

-- Opt-outs of people whose data was erased: a keyed hash of the number, so that the opt-out outlives it.
create table herald.forgotten_opt_outs (
  organization_id uuid not null references public.organizations (id) on delete cascade,
  phone_hash bytea not null,
  opted_out_at timestamptz not null,
  primary key (organization_id, phone_hash)
);
comment on table herald.forgotten_opt_outs is
'HMAC-SHA256 of numbers that must not be written to any more although nothing else is known of them.';
comment on column herald.forgotten_opt_outs.phone_hash is 'HMAC-SHA256 of the E.164 number.';

alter table herald.forgotten_opt_outs enable row level security;

-- herald.phone_hash(organisation, number or LID) → HMAC-SHA256, different in each organisation. Raises without the key.
create function herald.phone_hash(p_organization uuid, p_phone text) returns bytea
language plpgsql stable security definer set search_path = ''
as $$
declare
  key text;
begin
  select s.decrypted_secret into key from vault.decrypted_secrets as s where s.name = 'herald_phone_hash_key';
  if key is null then
    raise exception 'The Vault has no secret "herald_phone_hash_key", by which erased opt-outs are known.'
      using errcode = '55000', hint = 'Restore it from the project that this database came from; a new key forgets them.',
      detail = 'herald:vault-secret-missing';
  end if;
  return extensions.hmac(convert_to(p_organization || p_phone, 'utf8'), decode(key, 'hex'), 'sha256');
end
$$;
revoke execute on function herald.phone_hash(uuid, text) from public;

-- herald.hashes(contact) → the hashes of the contact's number (also from the JID) and LID.
create function herald.hashes(p public.whatsapp_contacts) returns bytea[]
language sql stable set search_path = ''
as $$
  select array_agg(herald.phone_hash(p.organization_id, known.name))
  from (
    select coalesce(p.phone, '+' || split_part(p.jid, '@', 1)) as name union all select p.lid
  ) as known
  where known.name is not null
$$;
revoke execute on function herald.hashes(public.whatsapp_contacts) from public;

-- herald.remember_opt_out(contact): stores the hashes of a contact that has opted out.
create function herald.remember_opt_out(p public.whatsapp_contacts) returns void
language sql volatile set search_path = ''
as $$
  insert into herald.forgotten_opt_outs (organization_id, phone_hash, opted_out_at)
  select p.organization_id, h, p.opted_out_at from unnest(herald.hashes(p)) as h
  where p.opted_out_at is not null and exists (select 1 from public.organizations as o where o.id = p.organization_id)
  on conflict do nothing
$$;
revoke execute on function herald.remember_opt_out(public.whatsapp_contacts) from public;

-- == opting out and back ==

-- herald.contact_consent: a contact that is new, or gets another number, is opted out if that number was. The first
-- opt-out stands; only an admin of the organisation can take it back.
create function herald.contact_consent() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  taken_back boolean := false;
begin
  if tg_op = 'UPDATE' and old.opted_out_at is not null then
    taken_back := new.opted_out_at is null;
    if taken_back and coalesce((select auth.role()), '') <> 'authenticated' then
      raise exception 'An opt-out is taken back by an admin of the organisation only.'
        using errcode = '42501', hint = 'An admin clears opted_out_at in the CRM, when the person has asked for it.',
        detail = 'herald:opt-out-by-admin';
    end if;
    if taken_back then
      new.opt_out_source := null;
      delete from herald.forgotten_opt_outs as f
      where f.organization_id = old.organization_id and f.phone_hash = any(herald.hashes(old) || herald.hashes(new));
    else
      new.opted_out_at := old.opted_out_at;
      new.opt_out_source := old.opt_out_source;
      if (new.phone, new.lid, new.jid) is distinct from (old.phone, old.lid, old.jid) then
        perform herald.remember_opt_out(old);
      end if;
    end if;
  end if;
  if new.opted_out_at is not null then
    new.opted_out_at := least(new.opted_out_at, herald.clock());
    new.opt_out_source := coalesce(new.opt_out_source, 'crm');
  elsif not taken_back and exists (
    select 1 from herald.forgotten_opt_outs as f where f.organization_id = new.organization_id
  ) then
    select f.opted_out_at, 'before erasure' into new.opted_out_at, new.opt_out_source
    from herald.forgotten_opt_outs as f
    where f.organization_id = new.organization_id and f.phone_hash = any(herald.hashes(new))
    order by f.opted_out_at limit 1;
  end if;
  return new;
end
$$;
revoke execute on function herald.contact_consent() from public;
create trigger contact_consent
before insert or update of phone, lid, jid, opted_out_at, opt_out_source on public.whatsapp_contacts
for each row execute function herald.contact_consent();

-- herald.contact_forgotten: an opt-out outlives its contact.
create function herald.contact_forgotten() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform herald.remember_opt_out(old);
  return null;
end
$$;
revoke execute on function herald.contact_forgotten() from public;
create trigger contact_forgotten after delete on public.whatsapp_contacts
for each row when (old.opted_out_at is not null) execute function herald.contact_forgotten();

-- == what was waiting to be sent to them ==

-- herald.suppress_pending(contact) → how many messages to this person it failed as suppressed, in the same transaction.
create function herald.suppress_pending(p public.whatsapp_contacts) returns integer
language plpgsql volatile set search_path = '' set jit = off
as $$
declare
  held text := herald.suppression(p.organization_id, p.id, null);
  many integer := 0;
begin
  if held is not null then
    update public.scheduled_whatsapp_messages as m
    set status = 'failed', error_code = 'suppressed', error_message = held
    where m.organization_id = p.organization_id and m.status = 'pending'
      and (m.contact_id = p.id or m.recipient_phone = p.phone);
    get diagnostics many = row_count;
  end if;
  return many;
end
$$;
revoke execute on function herald.suppress_pending(public.whatsapp_contacts) from public;

-- herald.contact_silenced: pending messages to a person fail as soon as that person may not be written to.
create function herald.contact_silenced() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  perform herald.suppress_pending(new);
  return null;
end
$$;
revoke execute on function herald.contact_silenced() from public;
create trigger contact_new_silenced after insert on public.whatsapp_contacts
for each row when (new.opted_out_at is not null) execute function herald.contact_silenced();
-- Fires on an opt-out, on another number of a person who opted out, or if an opt-in that is needed is withdrawn.
create trigger contact_silenced after update on public.whatsapp_contacts
for each row when (
  new.opted_out_at is not null and (old.opted_out_at is null or new.phone is distinct from old.phone)
  or new.opted_in_at is null and old.opted_in_at is not null
) execute function herald.contact_silenced();

-- herald.suppress_late(limit) → how many. A message queued at the moment of its recipient's opt-out doesn't see it; the
-- claim holds it back, and this fails it with the reason. Part of housekeeping: looks one hour back.
create function herald.suppress_late(p_limit integer default 1000) returns integer
language sql volatile set search_path = '' set jit = off
as $$
  select coalesce(sum(herald.suppress_pending(p)), 0)::integer from (
    select c.* from public.whatsapp_contacts as c
    where c.opted_out_at > herald.clock() - interval '1 hour'
    order by c.opted_out_at desc limit p_limit
  ) as p
$$;
revoke execute on function herald.suppress_late(integer) from public;

-- herald.opt_in_required: once an organisation requires opt-ins, pending messages to people without one fail.
create function herald.opt_in_required() returns trigger
language plpgsql security definer set search_path = '' set jit = off
as $$
begin
  update public.scheduled_whatsapp_messages as m
  set status = 'failed', error_code = 'suppressed',
    error_message = coalesce(
      herald.suppression(m.organization_id, m.contact_id, m.recipient_phone), 'This person has not opted in.'
    )
  from herald.open_messages as w
  where w.organization_id = new.organization_id and w.status = 'pending' and m.id = w.message_id
    and m.status = 'pending' and m.group_id is null
    and not exists (
      select 1 from public.whatsapp_contacts as p
      where p.organization_id = m.organization_id and p.opted_in_at is not null
        and (p.id = m.contact_id or p.phone = m.recipient_phone)
    );
  return null;
end
$$;
revoke execute on function herald.opt_in_required() from public;
create trigger opt_in_required after update of require_opt_in on public.workshop_automation_config
for each row when (new.require_opt_in and not old.require_opt_in) execute function herald.opt_in_required();

-- == opting out by words ==

-- herald.plain_words(text) → the text in lower case, without punctuation and WhatsApp's formatting marks, with single
-- spaces: the form in which opt_out_words are compared.
create function herald.plain_words(p_text text) returns text
language sql immutable set search_path = ''
as $$
  select btrim(regexp_replace(
    lower(translate(p_text, '.,;:!?¡¿…''"`´„“”‚‘’«»()[]{}<>*_~-–—/\|', '')), '\s+', ' ', 'g'
  ))
$$;
revoke execute on function herald.plain_words(text) from public;

-- herald.opt_out_by_words(contact, text, when) → did the text opt them out? It does if it is one of the organisation's
-- opt_out_words and nothing else, unless they opted in after they wrote it (a history that arrives late).
create function herald.opt_out_by_words(p_contact uuid, p_text text, p_at timestamptz) returns boolean
language plpgsql volatile set search_path = ''
as $$
declare
  said constant text := herald.plain_words(p_text);
begin
  if said = '' or length(said) > 100 then
    return false;
  end if;
  update public.whatsapp_contacts as p
  set opted_out_at = herald.clock(), opt_out_source = left('whatsapp:' || said, 200)
  from public.workshop_automation_config as c
  where p.id = p_contact and c.organization_id = p.organization_id and p.opted_out_at is null
    and (p.opted_in_at is null or p.opted_in_at <= p_at)
    and said in (select herald.plain_words(w) from unnest(c.opt_out_words) as w where length(w) <= 200);
  return found;
end
$$;
revoke execute on function herald.opt_out_by_words(uuid, text, timestamptz) from public;
