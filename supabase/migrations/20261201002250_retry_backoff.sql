-- Retry of a failed send: when the next attempt is due. settle.sql calls it; a message's max_retries says how often.

-- herald.retry_at(retries) → the time of the next attempt after `retries` failed ones: exponential, from first_retry
-- (5 s) to longest_retry (5 min), up to 20 % earlier or later, so that messages that failed together retry apart.
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
