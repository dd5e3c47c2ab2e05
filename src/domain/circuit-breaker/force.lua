-- Purpose: shows a circuit, or puts it into a state by hand.
-- Guarantee: opening starts the whole timeout anew; closing forgets failures and the probe. A forced state counts as a
--   change even when it is the state already, so that Postgres agrees with it afterwards. Processes that admit calls by
--   themselves are told to stop.
-- KEYS: 1 state of an integration, as in rate-limit/admit.lua, 2 its blocks, as in rate-limit/block.lua.
-- ARGV: 1 "OPEN", "CLOSED", or "" to look only, 2 beginning of the processes' channels.
-- Output: {state, failures, successes, opened, half-open since, last failure, last success, changed, end of the probe's
--   lease}, times in ms, "0" for never.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function text(number) return string.format('%.0f', number) end

if ARGV[1] ~= '' then
  local changed = math.max(now, tonumber(redis.call('HGET', KEYS[1], 't') or 0) + 1)
  redis.call('HSET', KEYS[1], 'b', ARGV[1], 'f', 0, 'y', 0, 't', text(changed))
  redis.call('HDEL', KEYS[1], 'p', 'pu')
  for _, holder in ipairs(redis.call('HKEYS', KEYS[2])) do
    redis.call('PUBLISH', ARGV[2] .. string.match(holder, '^[^/]*'), KEYS[1])
  end
  redis.call('DEL', KEYS[2])
  if ARGV[1] == 'OPEN' then
    redis.call('HSET', KEYS[1], 'o', text(now))
    redis.call('PERSIST', KEYS[1])
  end
end
local fields = redis.call('HMGET', KEYS[1], 'b', 'f', 'y', 'o', 'ho', 'lf', 'ls', 't', 'pu')
for i = 1, #fields do fields[i] = fields[i] or (i == 1 and 'CLOSED' or '0') end
return fields
