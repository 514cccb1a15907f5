-- The hot steps of the queue find rows by an index, however small a table looks when they are planned.
--
-- `message_claims` and `open_messages` hold few rows and, between two vacuums, pages of dead ones: at 3,000 messages a
-- second a plan that was made while the table was small reads 2,000 such pages in each exchange a minute later.

alter function public.whatsapp_claim(uuid, integer) set enable_seqscan = off;
alter function public.whatsapp_settle(uuid, jsonb) set enable_seqscan = off;
alter function public.whatsapp_settle_and_claim(uuid, jsonb, integer) set enable_seqscan = off;
alter function public.whatsapp_claims_extend(uuid, uuid []) set enable_seqscan = off;
alter function public.whatsapp_claims_adopt(uuid, uuid, bigint) set enable_seqscan = off;
alter function herald.next_due(uuid) set enable_seqscan = off;
alter function herald.accounts_to_serve(uuid, integer) set enable_seqscan = off;
alter function herald.message_to_send(uuid) set enable_seqscan = off;
alter function herald.messages_to_send(uuid []) set enable_seqscan = off;
alter function herald.keep_open(uuid [], uuid []) set enable_seqscan = off;
alter function herald.messages_gone() set enable_seqscan = off;
