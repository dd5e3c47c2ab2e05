-- Purpose: reads both sides of one partition's books at one moment.
-- Guarantee: one atomic step, so work going on meanwhile shows no difference that is not there.
-- KEYS: 1 stream, 2 retry, 3 held, 4 ledger.
-- ARGV: none.
-- Output: accepted, ended (processed + filtered + duplicate + dead + cancelled), entries in the stream, waiting for a
--   retry, held; as decimal text, because a float reply would be cut.

local accepted, ended = 0, 0
local ledger = redis.call('HGETALL', KEYS[4])
for i = 1, #ledger, 2 do
  local count = tonumber(ledger[i + 1])
  if string.sub(ledger[i], -9) == '/accepted' then accepted = accepted + count else ended = ended + count end
end
return {
  string.format('%.0f', accepted), string.format('%.0f', ended), tostring(redis.call('XLEN', KEYS[1])),
  tostring(redis.call('ZCARD', KEYS[2])), tostring(redis.call('SCARD', KEYS[3])),
}
