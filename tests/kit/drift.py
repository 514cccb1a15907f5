"""The small tables beside the queue: are they what the queue says?"""

from typing import LiteralString

#: Open messages that differ from the queue or are missing there, and the same for WhatsApp's ids. No row: all agree.
DRIFT: LiteralString = """
(
  select 'missing' as problem, m.id, m.status from (
    select q.id, q.organization_id, q.session_id, q.status, q.priority, q.scheduled_for, q.next_attempt_at,
      greatest(q.scheduled_for, q.next_attempt_at),
      q.expires_at, q.group_id, q.campaign_id, q.message_type
    from public.scheduled_whatsapp_messages as q where q.status in ('pending', 'sending', 'in_doubt')
    except select * from herald.open_messages
  ) as m
) union all (
  select 'left over', o.message_id, o.status from herald.open_messages as o
  where not exists (
    select 1 from public.scheduled_whatsapp_messages as q
    where q.id = o.message_id and q.status in ('pending', 'sending', 'in_doubt')
  )
) union all (
  select 'no id', m.id, m.wa_message_id from (
    select q.id, q.session_id, q.wa_message_id from public.scheduled_whatsapp_messages as q
    where q.wa_message_id is not null
    except select s.message_id, s.session_id, s.wa_message_id from herald.sent_ids as s
  ) as m
) union all (
  select 'id left over', s.message_id, s.wa_message_id from herald.sent_ids as s
  where not exists (
    select 1 from public.scheduled_whatsapp_messages as q where q.id = s.message_id and q.wa_message_id is not null
  )
)
"""
