-- Purpose: books what became of deliveries that the partition's owner had taken.
-- Guarantee: only the present owner books, and each delivery once: what is no longer in its queue changes nothing, so
--   accepted = outcomes + queues holds after every call. When the delivery whose turn it was in its ordering key ends, the
--   next one becomes due in the same step.
-- KEYS: 1 owner, 2 due, 3 ledger, then the queues and order lists that ARGV names by their index in KEYS.
-- ARGV: 1 token, 2 blocked mark, 3 held mark, 4 number of groups; then for each group: subscription id, tenant id, index
--   of its queue, number of deliveries, and for each: member, outcome word ("" when it waits again), due time in ms
--   ("" when it ended, "n" for now), index of its order list (0: none).
-- Output: -1 when the lease is another's, else the number of deliveries booked.

if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return -1 end
local due, ledger = KEYS[2], KEYS[3]
local blocked, held = ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local at = 5
local booked, outcomes = 0, {}

local function nextOfKey(queue, order, member)
  redis.call('LREM', order, 1, member)
  local head = redis.call('LINDEX', order, 0)
  if not head then return end
  local score = redis.call('ZSCORE', queue, head)
  if score and tonumber(score) == tonumber(blocked) then redis.call('ZADD', queue, 'XX', now, head) end
end

for _ = 1, tonumber(ARGV[4]) do
  local subscription, tenant, queue = ARGV[at], ARGV[at + 1], KEYS[tonumber(ARGV[at + 2])]
  local count = tonumber(ARGV[at + 3])
  at = at + 4
  for _ = 1, count do
    local member, word, dueMs, order = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
    at = at + 4
    if word == '' then
      if dueMs == 'n' then dueMs = now end
      booked = booked + redis.call('ZADD', queue, 'XX', 'CH', dueMs, member)
    else
      local removed = redis.call('ZREM', queue, member)
      if removed == 1 then
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
end

for field, count in pairs(outcomes) do redis.call('HINCRBY', ledger, field, count) end
return booked
