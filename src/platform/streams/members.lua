-- Purpose: keeps one process among the live ones that share out partitions, and tells who they are.
-- Guarantee: a process that died is gone after its time; the server's own clock counts.
-- KEYS: 1 members, ZSET process id → end of its membership in ms.
-- ARGV: 1 process id, 2 milliseconds to stay ("0": leave).
-- Output: ids of the live members, in order of their text.

local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', nowMs))
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], string.format('%.0f', nowMs + tonumber(ARGV[2])), ARGV[1])
end
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(members)
return members
