-- Purpose: takes events of one partition that are fanned out out of the stream and books them.
-- Guarantee: only the partition's owner books, and an event counts in the call whose XDEL found it.
-- KEYS: 1 owner, 2 stream, 3 ledger.
-- ARGV: 1 token, 2 number of groups; then for each group: ledger field (`<tenant>/<outcome>`), number of entries, their
--   stream ids.
-- Output: -1 when the lease is another's, else the number of entries removed.

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
local at, total = 3, 0
for _ = 1, tonumber(ARGV[2]) do
  local field, count = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  local removed = redis.call('XDEL', KEYS[2], unpack(ARGV, at, at + count - 1))
  at = at + count
  if removed > 0 then redis.call('HINCRBY', KEYS[3], field, removed) end
  total = total + removed
end
return total
