-- Purpose: puts deliveries of one partition into the queues of their subscriptions.
-- Guarantee: a delivery that is live already (waiting, in flight or due) is left as it is and not counted again, so a
--   repeated fan-out adds nothing. Of one ordering key only the first is due; the others stand behind it.
-- KEYS: 1 owner, 2 due, 3 ledger, then the queues and order lists that ARGV names by their index in KEYS.
-- ARGV: 1 token of the caller's lease ("" when it owns nothing), 2 taken mark, 3 blocked mark, 4 held mark, 5 number of
--   groups; then for each group: subscription id, tenant id, index of its queue, "1" when the caller takes it to be
--   active, number of deliveries, and for each: member, "t" (the caller has it in memory and sends it), "n" (now) or the
--   due time in ms, index of its order list (0: no order).
-- Output: for each delivery, in order: 0 live already, 1 added as asked, 2 added as due now although "t" was asked,
--   because the lease is not the caller's, 3 added behind its ordering key.

local owner, due, ledger = KEYS[1], KEYS[2], KEYS[3]
local taken, blocked, held = ARGV[2], ARGV[3], tonumber(ARGV[4])
local isOwner = ARGV[1] ~= '' and redis.call('HGET', owner, 'token') == ARGV[1]
local time = redis.call('TIME')
local now = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
local at = 6
local reply, accepted = {}, {}

for _ = 1, tonumber(ARGV[5]) do
  local subscription, tenant, queue = ARGV[at], ARGV[at + 1], KEYS[tonumber(ARGV[at + 2])]
  local isActive, count = ARGV[at + 3] == '1', tonumber(ARGV[at + 4])
  at = at + 5
  local earliest, added = nil, 0
  for i = 1, count do
    local member, mode, order = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
    at = at + 3
    local score = mode == 'n' and now or mode
    local result = 1
    if mode == 't' then
      if isOwner then score = taken else score, result = now, 2 end
    end
    if order > 0 then
      if not redis.call('ZSCORE', queue, member) then
        if redis.call('RPUSH', KEYS[order], member) > 1 then score, result = blocked, 3 end
        redis.call('ZADD', queue, score, member)
      else
        result = 0
      end
    elseif redis.call('ZADD', queue, 'NX', score, member) == 0 then
      result = 0
    end
    if result > 0 then
      added = added + 1
      if not earliest or tonumber(score) < tonumber(earliest) then earliest = score end
    end
    reply[#reply + 1] = result
  end
  if added > 0 then
    accepted[tenant] = (accepted[tenant] or 0) + added
    local marked = redis.call('ZSCORE', due, subscription)
    if not marked then
      redis.call('ZADD', due, earliest, subscription)
    elseif tonumber(marked) < held or isActive then
      -- A held one whose sender believed it active is looked at again by the owner.
      redis.call('ZADD', due, 'LT', earliest, subscription)
    end
  end
end

for tenant, count in pairs(accepted) do redis.call('HINCRBY', ledger, tenant .. '/accepted', count) end
return reply
