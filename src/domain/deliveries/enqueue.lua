-- Purpose: puts deliveries into the queues of their subscriptions.
-- Guarantee: a delivery that is live already (waiting, in flight or due) is left as it is and not counted again, so a
--   repeated fan-out adds nothing. Of one ordering key only the first is due; the others stand behind it. What is to be
--   marked as taken is due now where the lease of its partition is not the caller's.
-- KEYS: for each partition owner, due, ledger; then the queues and order lists that ARGV names by their index in KEYS. All
--   of one partition on a Cluster.
-- ARGV: 1 taken mark, 2 blocked mark, 3 held mark, 4 number of partitions; then for each partition: token of the caller's
--   lease ("" when it owns nothing), number of groups; then for each group: subscription id, tenant id, index of its
--   queue, "1" when the caller takes it to be active, mode, number of deliveries. Mode "t" (the caller has them in memory
--   and sends them) and "n" (due now): members without an ordering key follow. Mode "": for each member, "t", "n" or the
--   due time in ms, index of its order list (0: no order).
-- Output: for each partition the number of deliveries added.

local taken, blocked, held = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local at, isOwner = 5, false

local function scoreOf(mode)
  if mode == 't' and isOwner then return taken end
  return (mode == 't' or mode == 'n') and now or mode
end

-- One call for all: each call from a script costs more than what it does here, and is a command of its own in the AOF.
local function addAlike(queue, score, count)
  local command, size = { 'ZADD', queue, 'NX' }, 3
  for i = at, at + count - 1 do
    command[size + 1], command[size + 2] = score, ARGV[i]
    size = size + 2
  end
  return redis.call(unpack(command))
end

-- Tells the score under which the member was added, or nil.
local function addOne(queue, member, score, order)
  if order == 0 then return redis.call('ZADD', queue, 'NX', score, member) == 1 and score or nil end
  if redis.call('ZSCORE', queue, member) then return nil end
  if redis.call('RPUSH', KEYS[order], member) > 1 then score = blocked end
  redis.call('ZADD', queue, score, member)
  return score
end

-- The index says when the queue is to be looked at. A held one whose sender believed it active is looked at again by the
-- owner.
local function index(due, subscription, earliest, isActive)
  if isActive then return redis.call('ZADD', due, 'LT', earliest, subscription) end
  local marked = tonumber(redis.call('ZSCORE', due, subscription) or '')
  if not marked or (tonumber(earliest) < marked and marked < held) then
    redis.call('ZADD', due, earliest, subscription)
  end
end

-- Adds the deliveries of one group, which begins at ARGV[at]; tells its tenant and how many were added.
local function addGroup(due)
  local subscription, tenant, queue = ARGV[at], ARGV[at + 1], KEYS[tonumber(ARGV[at + 2])]
  local isActive, mode, count = ARGV[at + 3] == '1', ARGV[at + 4], tonumber(ARGV[at + 5])
  at = at + 6
  local earliest, added = nil, 0
  if mode == '' then
    for _ = 1, count do
      local score = addOne(queue, ARGV[at], scoreOf(ARGV[at + 1]), tonumber(ARGV[at + 2]))
      at = at + 3
      if score then
        added = added + 1
        if not earliest or tonumber(score) < tonumber(earliest) then earliest = score end
      end
    end
  else
    earliest = scoreOf(mode)
    added = addAlike(queue, earliest, count)
    at = at + count
  end
  if added > 0 then index(due, subscription, earliest, isActive) end
  return tenant, added
end

local reply = {}
for p = 1, tonumber(ARGV[4]) do
  local owner, due, ledger = KEYS[p * 3 - 2], KEYS[p * 3 - 1], KEYS[p * 3]
  local token, groups = ARGV[at], tonumber(ARGV[at + 1])
  at = at + 2
  isOwner = token ~= '' and redis.call('HGET', owner, 'token') == token
  local accepted, total = {}, 0
  for _ = 1, groups do
    local tenant, added = addGroup(due)
    if added > 0 then
      total = total + added
      accepted[tenant] = (accepted[tenant] or 0) + added
    end
  end
  for tenant, count in pairs(accepted) do redis.call('HINCRBY', ledger, tenant .. '/accepted', count) end
  reply[p] = total
end
return reply
