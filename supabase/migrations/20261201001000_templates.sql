-- Message templates: an organisation's own, and the system's for all organisations. message_steps.sql fills them in.

create table public.whatsapp_message_templates (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid references public.organizations (id) on delete cascade,
  name text not null constraint template_name_is_plain check (name ~ '^[a-z0-9][a-z0-9_]{0,99}$'),
  description text constraint template_description_is_short check (length(description) <= 1000),
  content text not null constraint template_has_content check (length(content) between 1 and 4096),
  variables text[] not null default '{}',
  media_url text constraint template_media_is_https check (media_url ~ '^https://')
  constraint template_media_url_is_short check (length(media_url) <= 4096),
  language text not null default 'en' constraint template_language_is_a_code check (language ~ '^[a-z]{2,3}(_[A-Z]{2})?$'),
  category text not null default 'UTILITY'
  constraint template_category_is_known check (category in ('MARKETING', 'UTILITY', 'AUTHENTICATION')),
  components jsonb constraint template_components_are_a_list check (jsonb_typeof(components) = 'array')
  constraint template_components_are_small check (herald.is_readable(components, 65536)),
  meta_template_id text,
  meta_status text constraint template_meta_status_is_known
  check (meta_status in ('PENDING', 'APPROVED', 'REJECTED', 'PAUSED', 'DISABLED')),
  rejection_reason text,
  is_default boolean not null default false,
  is_system boolean generated always as (organization_id is null) stored,
  is_active boolean not null default true,
  usage_count bigint not null default 0 constraint template_usage_is_counted check (usage_count >= 0),
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint template_name_is_unique unique nulls not distinct (organization_id, name, language)
);
comment on table public.whatsapp_message_templates is
'Texts with {{placeholders}}. An organisation''s own goes before the system''s (organization_id null) of the same name.';
comment on column public.whatsapp_message_templates.variables is 'The placeholders in content; kept by a trigger.';
comment on column public.whatsapp_message_templates.components is
'Header, body and buttons as Meta''s template API takes them.';
comment on column public.whatsapp_message_templates.meta_template_id is 'Meta''s id, once submitted.';
comment on column public.whatsapp_message_templates.meta_status is 'Meta''s review, for Cloud API accounts.';
comment on constraint whatsapp_message_templates_pkey on public.whatsapp_message_templates is
'There is a row with this id already. Leave the id out to get a new one, or change that row. (herald:id-taken)';
comment on constraint template_category_is_known on public.whatsapp_message_templates is
'There is no such category of templates. Use MARKETING, UTILITY or AUTHENTICATION. (herald:template-category-unknown)';
comment on constraint template_components_are_a_list on public.whatsapp_message_templates is
'The template''s components are no list. Write them as a JSON array, as Meta defines it. (herald:template-components-no-list)';
comment on constraint template_components_are_small on public.whatsapp_message_templates is
'The template''s components are too large. Shorten them to 65,536 characters in all; numbers may have 300 digits, and lists and objects 30 levels. (herald:template-components-too-large)';
comment on constraint template_media_url_is_short on public.whatsapp_message_templates is
'The address of the file is too long. Give an address of up to 4,096 characters; a data: URI may have up to 1,048,576. (herald:media-url-too-long)';
comment on constraint template_description_is_short on public.whatsapp_message_templates is
'The description is too long. Shorten it to 1,000 characters. (herald:description-too-long)';
comment on constraint template_has_content on public.whatsapp_message_templates is
'The template''s text is empty or too long. Write 1 to 4,096 characters. (herald:template-text-length)';
comment on constraint template_language_is_a_code on public.whatsapp_message_templates is
'This is no code of a language. Write it like en or pt_BR. (herald:template-language-invalid)';
comment on constraint template_media_is_https on public.whatsapp_message_templates is
'The address of the template''s file doesn''t begin with https://. Give an address that begins with https://. (herald:media-url-not-https)';
comment on constraint template_meta_status_is_known on public.whatsapp_message_templates is
'Meta''s review is PENDING, APPROVED, REJECTED, PAUSED or DISABLED. Leave it out: Herald sets it. (herald:herald-writes-it)';
comment on constraint template_name_is_plain on public.whatsapp_message_templates is
'A template can''t have this name. Use up to 100 small letters, digits and underscores, like payment_reminder. (herald:template-name-invalid)';
comment on constraint template_usage_is_counted on public.whatsapp_message_templates is
'A count can''t be below 0. Leave it out: Herald counts. (herald:count-negative)';
comment on constraint template_name_is_unique on public.whatsapp_message_templates is
'There is a template with this name and language already. Change that one, or choose another name. (herald:template-exists)';
comment on constraint whatsapp_message_templates_organization_id_fkey on public.whatsapp_message_templates is
'There is no such organisation. Use the organization_id of your own profile. (herald:organization-unknown)';

alter table public.whatsapp_message_templates enable row level security;
create policy whatsapp_message_templates_select on public.whatsapp_message_templates for select to authenticated
using (
  organization_id is null or organization_id in (select herald.my_organizations()) or (select herald.is_super_admin())
);
create policy whatsapp_message_templates_insert on public.whatsapp_message_templates for insert to authenticated
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_message_templates_update on public.whatsapp_message_templates for update to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
create policy whatsapp_message_templates_delete on public.whatsapp_message_templates for delete to authenticated
using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
revoke all on public.whatsapp_message_templates from anon, authenticated, service_role;
grant select, delete on public.whatsapp_message_templates to authenticated;
grant insert (
  organization_id, name, description, content, media_url, language, category, components, is_default, is_active
) on public.whatsapp_message_templates to authenticated;
grant update (
  name, description, content, media_url, language, category, components, is_default, is_active
) on public.whatsapp_message_templates to authenticated;
grant select, insert, update, delete on public.whatsapp_message_templates to service_role;
create trigger touch before update on public.whatsapp_message_templates for each row execute function herald.touch();
call herald.keep_identity('whatsapp_message_templates', '{organization_id}');

-- herald.placeholders(content) → the names between {{ and }}, each once, in order of appearance.
create function herald.placeholders(p_content text) returns text[]
language sql immutable set search_path = ''
as $$
  select coalesce(array_agg(f.name order by f.first), '{}') from (
    select m.parts[1] as name, min(m.place) as first
    from regexp_matches(p_content, '\{\{\s*([a-zA-Z0-9_]+)\s*\}\}', 'g') with ordinality as m (parts, place)
    group by m.parts[1]
  ) as f
$$;
revoke execute on function herald.placeholders(text) from public;

-- herald.render(content, values) → the content with its placeholders filled; null if that would be longer than a message may
-- be (65,536 characters). One pass: a value that looks like a placeholder stays as it is. A placeholder without a value
-- stays visible: see herald.missing_values. It splits the text: regular expressions cost 80 µs per row of a bulk insert,
-- splitting 6. It joins the pieces once at the end: joined one by one, 800 large values took 8 s.
create function herald.render(p_content text, p_values jsonb) returns text
language plpgsql immutable set search_path = ''
as $$
declare
  pieces text[] := string_to_array(p_content, '{{');
  piece text;
  closed integer;
  value text;
  room integer := 65536 - coalesce(length(pieces[1]), 0);
begin
  for i in 2..coalesce(cardinality(pieces), 0) loop
    piece := ltrim(pieces[i], '{');
    closed := strpos(piece, '}}');
    value := p_values ->> btrim(left(piece, greatest(closed - 1, 0)), E' \t\n\r\f\v');
    pieces[i] := case
      when closed = 0 or value is null then '{{' || pieces[i]
      else repeat('{', length(pieces[i]) - length(piece)) || value || substr(piece, closed + 2)
    end;
    room := room - length(pieces[i]);
    if room < 0 then
      return null;
    end if;
  end loop;
  return case when p_content is not null and room >= 0 then array_to_string(pieces, '') end;
end
$$;
revoke execute on function herald.render(text, jsonb) from public;

-- herald.missing_values(content, values) → placeholders for which there is no value.
create function herald.missing_values(p_content text, p_values jsonb) returns text[]
language sql immutable set search_path = ''
as $$
  select coalesce(array_agg(n), '{}') from unnest(herald.placeholders(p_content)) as n where p_values ->> n is null
$$;
revoke execute on function herald.missing_values(text, jsonb) from public;

-- herald.template_kept: keeps variables equal to the placeholders in content.
create function herald.template_kept() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  new.variables := herald.placeholders(new.content);
  return new;
end
$$;
revoke execute on function herald.template_kept() from public;
create trigger template_kept before insert or update of content on public.whatsapp_message_templates
for each row execute function herald.template_kept();

-- herald.template(organisation, name, language) → the active template that this organisation uses under that name (or
-- id): its own before the system's, the default one before others, English before other languages. language, if given,
-- must match.
create function herald.template(p_organization uuid, p_name text, p_language text default null)
returns public.whatsapp_message_templates
language sql stable set search_path = ''
as $$
  select t from public.whatsapp_message_templates as t
  where p_name in (t.name, t.id::text) and t.is_active and t.language = coalesce(p_language, t.language)
    and (t.organization_id = p_organization or t.organization_id is null)
  order by t.organization_id nulls last, t.is_default desc, t.language = 'en' desc, t.id
  limit 1
$$;
revoke execute on function herald.template(uuid, text, text) from public;
grant execute on function herald.template(uuid, text, text) to authenticated, service_role;

-- whatsapp_template(organisation, name, language) → the id of that template; null if the caller can see none.
create function public.whatsapp_template(p_organization uuid, p_name text, p_language text default null) returns uuid
language sql stable set search_path = ''
as $$
  select (herald.template(p_organization, p_name, p_language)).id
$$;
comment on function public.whatsapp_template(uuid, text, text) is
'The active template that the organisation uses under this name (or id), in this language if one is named.';
revoke execute on function public.whatsapp_template(uuid, text, text) from public, anon;
grant execute on function public.whatsapp_template(uuid, text, text) to authenticated, service_role;

-- The system's own templates.
insert into public.whatsapp_message_templates (organization_id, name, category, is_default, description, content) values
(null, 'trial_welcome', 'UTILITY', true, 'To a new trial customer.',
  'Hi {{name}}, welcome to {{organization}}! Your trial has begun. Just answer here if you have a question.'),
(null, 'subscription_expiring', 'UTILITY', true, 'Before a subscription ends.',
  'Hi {{name}}, your subscription with {{organization}} ends on {{date}}. Renew it in time to keep your access.'),
(null, 'subscription_activated', 'UTILITY', true, 'A subscription has begun.',
  'Hi {{name}}, your subscription with {{organization}} is active. Thank you!'),
(null, 'payment_reminder', 'UTILITY', true, 'A payment is due.',
  'Hi {{name}}, a friendly reminder: {{amount}} is due on {{date}}. If you have paid already, please ignore this.'),
(null, 'event_reminder_24h', 'UTILITY', true, 'To an attendee, a day before.',
  'Hi {{name}}, {{title}} is tomorrow, {{date}} at {{time}}. See you there!'),
(null, 'check_in_instructions', 'UTILITY', true, 'To an attendee, on the day.',
  'Hi {{name}}, {{title}} begins today at {{time}}. Please check in a few minutes early.'),
(null, 'event_update', 'UTILITY', true, 'To an attendee, days before or after a change.',
  'Hi {{name}}, news on {{title}}: it takes place on {{date}} at {{time}}.'),
(null, 'morning', 'UTILITY', true, 'To the group, on the workshop''s morning.',
  'Good morning! {{title}} is today at {{time}}.'),
(null, '6hr_before', 'UTILITY', true, 'To the group, six hours before.',
  '{{title}} begins in six hours, at {{time}}.'),
(null, '1hr_before', 'UTILITY', true, 'To the group, an hour before.',
  '{{title}} begins in an hour, at {{time}}. Get ready!'),
(null, 'we_are_live', 'UTILITY', true, 'To the group, at the start.',
  'We are live! {{title}} begins now.'),
(null, 'thank_you', 'UTILITY', true, 'To the group, afterwards.',
  'Thank you for being part of {{title}}!');
