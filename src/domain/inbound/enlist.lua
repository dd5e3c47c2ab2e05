-- Purpose: takes receipts that Postgres knows as unfinished into the books of one partition: a replay is due now, and
--   after a loss of Redis everything that waits comes back with its own due time or as held.
-- Guarantee: a member that is waiting or held already is left as it is and not counted again. Each one taken in counts
--   as accepted once more.
-- KEYS: 1 retry, 2 held, 3 ledger.
-- ARGV: for each receipt: member `<receipt>/<tenant>/<endpoint>`, and the due time in ms, "now" (Redis' own clock; a
--   member that waits already is moved to now), or "held".
-- Output: number taken in.

local time = redis.call('TIME')
local nowMs = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local taken = 0

for i = 1, #ARGV, 2 do
  local member, due = ARGV[i], ARGV[i + 1]
  local waiting = redis.call('ZSCORE', KEYS[1], member)
  if waiting then
    if due == 'now' then redis.call('ZADD', KEYS[1], 'XX', nowMs, member) end
  elseif redis.call('SISMEMBER', KEYS[2], member) == 0 then
    if due == 'held' then
      redis.call('SADD', KEYS[2], member)
    else
      redis.call('ZADD', KEYS[1], due == 'now' and nowMs or due, member)
    end
    local tenant = string.match(member, '^[^/]+/([^/]+)/')
    redis.call('HINCRBY', KEYS[3], tenant .. '/accepted', 1)
    taken = taken + 1
  end
end

return taken
