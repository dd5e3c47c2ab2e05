-- Purpose: sets when the owner looks at subscriptions again: at a time given, never (held), or when their queue says so.
-- KEYS: 1 owner, 2 due, then one queue for each subscription.
-- ARGV: 1 token, then for each subscription: its id, and a score, or "" for that of its earliest delivery.
-- Output: -1 when the lease is another's, else the number of subscriptions that have a queue.

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
local present = 0
for i = 1, #KEYS - 2 do
  local subscription, score = ARGV[i * 2], ARGV[i * 2 + 1]
  local first = redis.call('ZRANGE', KEYS[i + 2], 0, 0, 'WITHSCORES')
  if not first[2] then
    redis.call('ZREM', KEYS[2], subscription)
  else
    redis.call('ZADD', KEYS[2], score == '' and first[2] or score, subscription)
    present = present + 1
  end
end
return present
