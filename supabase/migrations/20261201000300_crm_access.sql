-- Row policies of the tables that crm_baseline.sql made, recognised by their comments. They call the adapter's
-- functions, so this file comes after it. A CRM's own table gets none: it may have other columns, and if it has no
-- policy, it is closed on purpose.

do $$
begin
  if obj_description('public.organizations'::regclass, 'pg_class') =
    'A customer of the CRM; every row of Herald belongs to one.' then
    create policy organizations_select on public.organizations for select to authenticated
    using (id in (select herald.my_organizations()) or (select herald.is_super_admin()));
  end if;
  if obj_description('public.profiles'::regclass, 'pg_class') =
    'A CRM user and the role that they have in their organisation.' then
    create policy profiles_select on public.profiles for select to authenticated
    using (
      id = (select auth.uid()) or organization_id in (select herald.my_organizations()) or (select herald.is_super_admin())
    );
  end if;
  if obj_description('public.workshops'::regclass, 'pg_class') =
    'An event of the organisation, possibly with a WhatsApp group.' then
    create policy workshops_select on public.workshops for select to authenticated
    using (organization_id in (select herald.my_organizations()) or (select herald.is_super_admin()));
    create policy workshops_insert on public.workshops for insert to authenticated
    with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
    create policy workshops_update on public.workshops for update to authenticated
    using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
    with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
    create policy workshops_delete on public.workshops for delete to authenticated
    using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
  end if;
  if obj_description('public.workshop_attendees'::regclass, 'pg_class') =
    'Who comes to a workshop; automation queues one message each.' then
    create policy workshop_attendees_select on public.workshop_attendees for select to authenticated
    using (organization_id in (select herald.my_organizations()) or (select herald.is_super_admin()));
    create policy workshop_attendees_insert on public.workshop_attendees for insert to authenticated
    with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
    create policy workshop_attendees_update on public.workshop_attendees for update to authenticated
    using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
    with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
    create policy workshop_attendees_delete on public.workshop_attendees for delete to authenticated
    using (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
  end if;
  if obj_description('public.notification_queue'::regclass, 'pg_class') =
    'A CRM''s own notifications. Those of type whatsapp become messages; their status comes back here.' then
    create policy notification_queue_select on public.notification_queue for select to authenticated
    using (organization_id in (select herald.my_organizations()) or (select herald.is_super_admin()));
    create policy notification_queue_insert on public.notification_queue for insert to authenticated
    with check (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()));
    -- A person edits or cancels what waits, or retries what failed; the sender writes the result.
    create policy notification_queue_update on public.notification_queue for update to authenticated
    using (
      status in ('pending', 'failed')
      and (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
    )
    with check (
      status in ('pending', 'cancelled')
      and (organization_id in (select herald.my_admin_organizations()) or (select herald.is_super_admin()))
    );
  end if;
end
$$;
