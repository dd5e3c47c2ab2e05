-- Purpose: makes due again what an earlier owner of the partition had taken and not booked.
-- KEYS: 1 owner, 2 due, then one queue for each subscription.
-- ARGV: 1 token, 2 taken mark, 3 held mark, then the subscriptions' ids.
-- Output: -1 when the lease is another's, else the number of deliveries that are due again.

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
local taken, held = ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local total = 0
for i = 1, #KEYS - 2 do
  local queue, subscription = KEYS[i + 2], ARGV[i + 3]
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', queue, taken, taken)) do
    redis.call('ZADD', queue, 'XX', now, member)
    total = total + 1
  end
  local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if not first[2] then
    redis.call('ZREM', KEYS[2], subscription)
  elseif tonumber(redis.call('ZSCORE', KEYS[2], subscription)) < held then
    redis.call('ZADD', KEYS[2], first[2], subscription)
  end
end
return total
