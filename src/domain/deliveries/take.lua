-- Purpose: gives due deliveries of some subscriptions to the partition's owner.
-- Guarantee: only the present owner takes; what it took is marked, so that the next owner knows what may have been sent.
--   A call that comes again, because its reply was lost with the connection, tells all that is marked: the caller knows
--   what of it it has, and the rest would stay marked.
-- KEYS: 1 owner, 2 due, then one queue for each subscription.
-- ARGV: 1 token, 2 taken mark, 3 number of the call, growing while the lease lasts, then for each subscription: its id,
--   most deliveries to take.
-- Output: -1 when the lease is another's; else for each subscription the list of members taken.

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
local taken, call = ARGV[2], tonumber(ARGV[3])
local lastToken, lastCall = string.match(redis.call('HGET', KEYS[1], 'lastTake') or '', '^(.+)/(%d+)$')
local isAgain = lastToken == ARGV[1] and call <= tonumber(lastCall)
if not isAgain then redis.call('HSET', KEYS[1], 'lastTake', ARGV[1] .. '/' .. ARGV[3]) end
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local reply = {}

for i = 1, #KEYS - 2 do
  local queue, subscription, most = KEYS[i + 2], ARGV[2 + i * 2], ARGV[3 + i * 2]
  local members
  if isAgain then
    members = redis.call('ZRANGEBYSCORE', queue, taken, taken)
  else
    members = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, most)
    local command = { 'ZADD', queue, 'XX' }
    for m, member in ipairs(members) do command[m * 2 + 2], command[m * 2 + 3] = taken, member end
    if members[1] then redis.call(unpack(command)) end
  end
  local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', KEYS[2], first[2], subscription)
  else
    redis.call('ZREM', KEYS[2], subscription)
  end
  reply[i] = members
end

return reply
