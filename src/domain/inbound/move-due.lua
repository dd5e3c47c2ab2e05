-- Purpose: puts receipts whose waiting time is over back into their partition's stream, as references to Postgres.
-- Guarantee: a member leaves the retry set in the same atomic step in which its entry is added.
-- KEYS: 1 stream, 2 retry.
-- ARGV: 1 most members to move.
-- Output: number moved.

local time = redis.call('TIME')
local nowMs = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', nowMs, 'LIMIT', 0, ARGV[1])

for _, member in ipairs(due) do
  local id, tenant, endpoint = string.match(member, '^([^/]+)/([^/]+)/([^/]+)$')
  redis.call('XADD', KEYS[1], '*', 'm',
    '{"id":"' .. id .. '","tenantId":"' .. tenant .. '","endpointId":"' .. endpoint .. '","reference":true}')
  redis.call('ZREM', KEYS[2], member)
end

return #due
