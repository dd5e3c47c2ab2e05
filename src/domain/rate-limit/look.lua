-- Purpose: shows what an integration has left, without taking any of it.
-- Guarantee: no call is admitted or held up by looking. Stands behind quotas.lua and turns.lua.
-- KEYS: 1-9 as in turns.lua, then one key for each quota.
-- ARGV: for each quota: name, "s" when it is shared, limit, window in ms, weight (not used).
-- Output: {calls waiting, calls under way, ms for which the provider wants no call, then for each quota: limit, free units,
--   ms until one unit is free}.

local held = tonumber(redis.call('HGET', STATE, 'h') or 0)
local underWay = redis.call('ZCOUNT', FLIGHT, '(' .. text(now), '+inf')
local running = callsOfBlocks()
local reply = {
  text(redis.call('ZCARD', QUEUE)), text(underWay + running),
  text(math.max(0, held - now))
}
for i = 0, #KEYS - 10 do
  local at = 1 + i * 5
  local quota = {
    key = KEYS[10 + i], name = ARGV[at], state = ARGV[at + 1] == 's' and SHARED or STATE,
    limit = tonumber(ARGV[at + 2]), window = tonumber(ARGV[at + 3]), weight = 0
  }
  openQuotas({ quota }, STATE, SHARED)
  local wait = quota.free > 0 and 0 or waitFor(quota, 1)
  for _, value in ipairs({ quota.limit, math.max(0, quota.free), wait }) do reply[#reply + 1] = text(value) end
end
return reply
