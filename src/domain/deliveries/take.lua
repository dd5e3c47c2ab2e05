-- Purpose: gives due deliveries of some subscriptions to the partition's owner.
-- Guarantee: only the present owner takes; what it took is marked, so that the next owner knows what may have been sent.
-- KEYS: 1 owner, 2 due, then one queue for each subscription.
-- ARGV: 1 token, 2 taken mark, then for each subscription: its id, most deliveries to take.
-- Output: -1 when the lease is another's; else for each subscription the list of members taken.

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
local taken = ARGV[2]
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local reply = {}

for i = 1, #KEYS - 2 do
  local queue, subscription, most = KEYS[i + 2], ARGV[1 + i * 2], ARGV[2 + i * 2]
  local members = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, most)
  for _, member in ipairs(members) do redis.call('ZADD', queue, 'XX', taken, member) end
  local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', KEYS[2], first[2], subscription)
  else
    redis.call('ZREM', KEYS[2], subscription)
  end
  reply[i] = members
end

return reply
