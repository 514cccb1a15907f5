-- Retry of a failed send: when the next attempt is due. settle.sql asks it; how often a message is retried is its own
-- max_retries.

-- herald.retry_at(retries) → the time of the next attempt after so many: exponential, from first_retry (5 s) up to
-- longest_retry (5 min), 20 % earlier or later, so that messages that failed together are not retried together.
create function herald.retry_at(p_retries integer) returns timestamptz
language plpgsql volatile set search_path = ''
as $$
begin
  return (
    select herald.clock() + least(k.first_retry * 2 ^ p_retries, k.longest_retry) * (0.8 + 0.4 * random())
    from herald.constants as k where k.only_row
  );
end
$$;
revoke execute on function herald.retry_at(integer) from public;
