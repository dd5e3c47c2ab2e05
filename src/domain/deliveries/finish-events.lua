-- Purpose: takes events that are fanned out out of their streams and books them.
-- Guarantee: only the owner of a partition books in it, and an event counts in the call whose XDEL found it.
-- KEYS: for each partition owner, stream, ledger. All of one partition on a Cluster.
-- ARGV: for each partition: token, number of groups; then for each group: ledger field (`<tenant>/<outcome>`), number of
--   entries, their stream ids.
-- Output: for each partition -1 when its lease is another's, else the number of entries removed.

local at, reply = 1, {}
for p = 1, #KEYS / 3 do
  local owner, stream, ledger = KEYS[p * 3 - 2], KEYS[p * 3 - 1], KEYS[p * 3]
  local isOwner = redis.call('HGET', owner, 'token') == ARGV[at]
  local groups = tonumber(ARGV[at + 1])
  at = at + 2
  local total = 0
  for _ = 1, groups do
    local field, count = ARGV[at], tonumber(ARGV[at + 1])
    at = at + 2
    if isOwner then
      local removed = redis.call('XDEL', stream, unpack(ARGV, at, at + count - 1))
      if removed > 0 then redis.call('HINCRBY', ledger, field, removed) end
      total = total + removed
    end
    at = at + count
  end
  reply[p] = isOwner and total or -1
end
return reply
