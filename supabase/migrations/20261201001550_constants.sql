-- The numbers that rules use and nobody sets: one row. What an admin sets (30 messages a minute for a group, 200 a day for
-- an account) are columns of whatsapp_sessions. Queries on the hot path filter by only_row to use the index, because
-- sequential scans are switched off there.

create table herald.constants (
  only_row boolean primary key default true constraint constants_are_one_row check (only_row),
  claim_lasts interval not null default '150 seconds',
  web_slots smallint not null default 1,
  cloud_slots smallint not null default 20 check (cloud_slots <= 50),
  first_look smallint not null default 20,
  further_look integer not null default 1000,
  first_retry interval not null default '5 seconds',
  longest_retry interval not null default '5 minutes',
  largest_message integer not null default 2097152,
  largest_claim integer not null default 8388608,
  number_per_second integer not null default 80,
  pair_cost interval not null default '6 seconds',
  pair_burst integer not null default 45,
  customer_window interval not null default '24 hours',
  tier_span interval not null default '24 hours',
  tiers jsonb not null default '{"250": 250, "2K": 2000, "10K": 10000, "100K": 100000}'
);
comment on table herald.constants is
'One row: each number that a rule uses and that nobody sets per account or organisation.';
comment on column herald.constants.claim_lasts is
'How long a claim holds a message: the WhatsApp library waits 75 s for an answer and may send once more.';
comment on column herald.constants.web_slots is 'Messages of a WhatsApp Web account that may be in flight at once.';
comment on column herald.constants.cloud_slots is 'Messages of a Cloud API number that may be in flight at once.';
comment on column herald.constants.first_look is 'How many due messages of an account each claim looks at.';
comment on column herald.constants.further_look is
'How many more it looks at if rules hold back all of the first_look; the next claim goes on where this one stopped.';
comment on column herald.constants.first_retry is 'Wait after the first failed attempt; it doubles with each further one.';
comment on column herald.constants.longest_retry is 'The longest wait between two attempts.';
comment on column herald.constants.largest_message is
'Bytes of text and file address of one message; a larger one fails. The queue''s own rules let in 1.3 MB.';
comment on column herald.constants.largest_claim is
'Bytes of all messages of one claim, so that its answer can be made, sent and read; what is more waits for the next.';
comment on column herald.constants.number_per_second is 'Meta: how many messages a Cloud API number may send in a second.';
comment on column herald.constants.pair_cost is 'Meta: the pace from a number to one person is one message in this time.';
comment on column herald.constants.pair_burst is 'Meta: how many messages to one person may go at once, ahead of that pace.';
comment on column herald.constants.customer_window is
'Meta: for this long after a person''s last message they may be sent more than templates.';
comment on column herald.constants.tier_span is 'Meta: a business''s tier limits how many different people it writes to in this time.';
comment on column herald.constants.tiers is 'Meta: how many people each tier allows; a tier that is not here is unlimited.';

alter table herald.constants enable row level security;
insert into herald.constants default values;
