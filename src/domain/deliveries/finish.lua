-- Purpose: books what became of deliveries that the owner of their partitions had taken.
-- Guarantee: only the present owner of a partition books, and each delivery once: what is no longer in its queue changes
--   nothing, so accepted = outcomes + queues holds after every call. When the delivery whose turn it was in its ordering
--   key ends, the next one becomes due in the same step.
-- KEYS: for each partition owner, due, ledger; then the queues and order lists that ARGV names by their index in KEYS. All
--   of one partition on a Cluster.
-- ARGV: 1 blocked mark, 2 held mark, 3 number of partitions; then for each partition: token, number of groups; then for
--   each group: subscription id, tenant id, index of its queue, number of deliveries, and for each: member, outcome word
--   ("" when it waits again), due time in ms ("" when it ended, "n" for now), index of its order list (0: none).
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

-- Books the deliveries of one subscription that begin at ARGV[at]; tells how many.
local function bookGroup(due, subscription, tenant, queue, count, outcomes)
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
  local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if not first[2] then
    redis.call('ZREM', due, subscription)
  else
    local marked = redis.call('ZSCORE', due, subscription)
    if not marked or tonumber(marked) < held then redis.call('ZADD', due, first[2], subscription) end
  end
  return booked
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
    local count = tonumber(ARGV[at + 3])
    at = at + 4
    if isOwner then booked = booked + bookGroup(due, subscription, tenant, queue, count, outcomes) end
    at = at + count * 4
  end
  for field, count in pairs(outcomes) do redis.call('HINCRBY', ledger, field, count) end
  reply[p] = isOwner and booked or -1
end
return reply
