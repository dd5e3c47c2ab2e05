-- Purpose: reads both sides of the event topic's books at one moment.
-- Guarantee: reads only; one atomic step over the partitions given, each of which balances by itself.
-- KEYS: two for each partition: stream, ledger. One partition on a Cluster, all of them elsewhere.
-- ARGV: none.
-- Output: accepted, ended (the five outcomes), entries in the streams; as decimal text, because a float reply would be
--   cut.

local accepted, ended, waiting = 0, 0, 0
for k = 1, #KEYS, 2 do
  local ledger = redis.call('HGETALL', KEYS[k + 1])
  for i = 1, #ledger, 2 do
    local count = tonumber(ledger[i + 1])
    if string.sub(ledger[i], -9) == '/accepted' then accepted = accepted + count else ended = ended + count end
  end
  waiting = waiting + redis.call('XLEN', KEYS[k])
end
return { string.format('%.0f', accepted), string.format('%.0f', ended), tostring(waiting) }
