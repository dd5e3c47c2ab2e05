-- Purpose: renews the leases of calls that are under way.
-- Guarantee: a process that lives keeps its places among the calls in flight, and its probe; those of a dead one end.
--   Stands behind quotas.lua and turns.lua.
-- KEYS: 1-9 as in turns.lua.
-- ARGV: 1 lease in ms, 2 "1" when anything is shared, then the members.
-- Output: nothing.

local untilMs = text(now + tonumber(ARGV[1]))
local probe = redis.call('HGET', STATE, 'p')
for i = 3, #ARGV do
  redis.call('ZADD', FLIGHT, untilMs, ARGV[i])
  if ARGV[2] == '1' then redis.call('ZADD', SHARED_FLIGHT, untilMs, ARGV[i]) end
  if probe == ARGV[i] then redis.call('HSET', STATE, 'pu', untilMs) end
end
keep(FLIGHT)
if ARGV[2] == '1' then keep(SHARED_FLIGHT) end
