-- Purpose: books what became of deliveries that the owner of their partitions had taken.
-- Guarantee: only the present owner of a partition books, and each delivery once: what is no longer in its queue changes
--   nothing, so accepted = outcomes + queues holds after every call. When the delivery whose turn it was in its ordering
--   key ends, the next one becomes due in the same step.
-- KEYS: for each partition owner, due, ledger; then the queues and order lists that ARGV names by their index in KEYS. All
--   of one partition on a Cluster.
-- ARGV: 1 blocked mark, 2 held mark, 3 number of partitions; then for each partition: token, number of groups; then for
--   each group: subscription id, tenant id, index of its queue, outcome word, number of deliveries. With a word: members
--   without an ordering key that ended so. With "": for each member, outcome word ("" when it waits again), due time in
--   ms ("" when it ended, "n" for now), index of its order list (0: none).
-- Output: for each partition -1 when its lease is another's, else the number of deliveries booked.

local blocked, held, partitions = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local at = 4

local function nextOfKey(queue, order, member)
  redis.call('LREM', order, 1, member)
  local head = redis.call('LINDEX', order, 0)
  if not head then return end
  local score = redis.call('ZSCORE', queue, head)
  if score and tonumber(score) == tonumber(blocked) then redis.call('ZADD', queue, 'XX', now, head) end
end

-- Books the `count` deliveries of one subscription that begin at ARGV[at] and each say what became of them; tells how many.
local function bookEach(tenant, queue, count, outcomes)
  local booked = 0
  for i = 1, count do
    local a = at + (i - 1) * 4
    local member, word, dueMs, order = ARGV[a], ARGV[a + 1], ARGV[a + 2], tonumber(ARGV[a + 3])
    if word == '' then
      if dueMs == 'n' then dueMs = now end
      booked = booked + redis.call('ZADD', queue, 'XX', 'CH', dueMs, member)
    else
      if redis.call('ZREM', queue, member) == 1 then
        local field = tenant .. '/' .. word
        outcomes[field] = (outcomes[field] or 0) + 1
        booked = booked + 1
      end
      if order > 0 then nextOfKey(queue, KEYS[order], member) end
    end
  end
  return booked
end

-- Books those that ended alike. One call for all: each call from a script costs more than what it does here, and is a
-- command of its own in the AOF.
local function bookAlike(tenant, queue, word, count, outcomes)
  local booked = redis.call('ZREM', queue, unpack(ARGV, at, at + count - 1))
  local field = tenant .. '/' .. word
  if booked > 0 then outcomes[field] = (outcomes[field] or 0) + booked end
  return booked
end

-- The index says when the queue is to be looked at.
local function reindex(due, subscription, queue)
  local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')[2]
  if not first then
    redis.call('ZREM', due, subscription)
    return
  end
  local marked = redis.call('ZSCORE', due, subscription)
  if not marked or (marked ~= first and tonumber(marked) < held) then
    redis.call('ZADD', due, first, subscription)
  end
end

local reply = {}
for p = 1, partitions do
  local owner, due, ledger = KEYS[p * 3 - 2], KEYS[p * 3 - 1], KEYS[p * 3]
  local isOwner = redis.call('HGET', owner, 'token') == ARGV[at]
  local groups = tonumber(ARGV[at + 1])
  at = at + 2
  local booked, outcomes = 0, {}
  for _ = 1, groups do
    local subscription, tenant, queue = ARGV[at], ARGV[at + 1], KEYS[tonumber(ARGV[at + 2])]
    local word, count = ARGV[at + 3], tonumber(ARGV[at + 4])
    at = at + 5
    if isOwner then
      booked = booked
        + (word == '' and bookEach(tenant, queue, count, outcomes) or bookAlike(tenant, queue, word, count, outcomes))
      reindex(due, subscription, queue)
    end
    at = at + count * (word == '' and 4 or 1)
  end
  for field, count in pairs(outcomes) do redis.call('HINCRBY', ledger, field, count) end
  reply[p] = isOwner and booked or -1
end
return reply
