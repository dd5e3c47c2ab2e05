-- Purpose: reads both sides of the books at one moment.
-- Guarantee: one atomic step over the partitions given, so work going on meanwhile shows no difference that is not
--   there. A call of the accept script may count in the ledger of any partition that it touched, so outside a Cluster
--   all partitions have to be read together.
-- KEYS: four for each partition: stream, retry, held, ledger. One partition on a Cluster, all of them elsewhere.
-- ARGV: none.
-- Output: accepted, ended (processed + filtered + duplicate + dead + cancelled), entries in the streams, waiting for a
--   retry, held; as decimal text, because a float reply would be cut.

local accepted, ended, waiting, retry, held = 0, 0, 0, 0, 0
for k = 1, #KEYS, 4 do
  local ledger = redis.call('HGETALL', KEYS[k + 3])
  for i = 1, #ledger, 2 do
    local count = tonumber(ledger[i + 1])
    if string.sub(ledger[i], -9) == '/accepted' then accepted = accepted + count else ended = ended + count end
  end
  waiting = waiting + redis.call('XLEN', KEYS[k])
  retry = retry + redis.call('ZCARD', KEYS[k + 1])
  held = held + redis.call('SCARD', KEYS[k + 2])
end
return {
  string.format('%.0f', accepted), string.format('%.0f', ended), tostring(waiting), tostring(retry), tostring(held),
}
