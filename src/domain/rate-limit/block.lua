-- Purpose: admits calls of one process in advance: a block of so many that it lets out by itself until the block's end.
-- Guarantee: a block is given only while it changes nobody's turn and no circuit: the circuit is closed and counts no
--   failure, nothing waits or is held back, and half of every quota stays free. Its units are counted at its end, so no
--   window is ever over, whenever its calls go out before. A process that dies keeps no more than one block's units.
--   Stands behind quotas.lua and turns.lua.
-- KEYS: 1-9 as in turns.lua, then one key for each quota; all of them in sub-windows, none shared.
-- ARGV: 1 holder (`<process>/<number>`), 2 calls wanted (0: none, the last block is over), 3 fewest that are worth it, 4
--   its life in ms, 5 calls of former blocks under way, 6 when one of them succeeded, or a little before ("" when none did
--   since it was last told), 7 number of blocks with calls that did not go out, then for each of these the end of the
--   block and the number of calls, then for each quota: name, "" (not shared), limit, window in ms, weight.
-- Output: {"block", time, end, calls, circuit as in admit.lua, then for each quota: free units and units ever taken
--   before it}, or {"none"}.

local RECORD_WITHIN_MS, STATE_DAYS_MS = 5000, 7 * 86400000
-- As for a success that comes by itself; see finish.lua.
local LAST_SUCCESS_MS = 1000
local holder, wanted, least, lifeMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local running, succeeded, returned = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local quotas = {}
for i = 0, #KEYS - 10 do
  local at = 8 + returned * 2 + i * 5
  quotas[i + 1] = {
    key = KEYS[10 + i], name = ARGV[at], state = STATE,
    limit = tonumber(ARGV[at + 2]), window = tonumber(ARGV[at + 3]), weight = tonumber(ARGV[at + 4])
  }
end
local fields = { 'b', 'f', 'o', 'ho', 'lf', 'ls', 't', 'rt', 'h' }
local ownFields = #fields
local readers = reportedFields(quotas, STATE, fields)
local state = redis.call('HMGET', STATE, unpack(fields))
local circuit, failures, changed = state[1] or 'CLOSED', tonumber(state[2] or 0), tonumber(state[7])
local lastFailure, lastSuccess = tonumber(state[5] or 0), tonumber(state[6] or 0)
applyReported(readers, state, ownFields)
readUsed(quotas)

for number = 1, returned do
  local counted, calls = tonumber(ARGV[6 + number * 2]), tonumber(ARGV[7 + number * 2])
  for _, quota in ipairs(quotas) do giveBack(quota, counted, calls) end
end

if succeeded and changed and circuit == 'CLOSED' then
  -- One before the last failure says nothing of those in a row since.
  if failures > 0 and succeeded > lastFailure then
    failures = 0
    redis.call('HSET', STATE, 'f', 0)
  end
  if succeeded - lastSuccess >= LAST_SUCCESS_MS then redis.call('HSET', STATE, 'ls', text(succeeded)) end
end

redis.call('ZREMRANGEBYSCORE', FLIGHT, '-inf', now)
local isUnrecorded = changed and changed ~= tonumber(state[8]) and now - changed > RECORD_WITHIN_MS
local calls = wanted
if not changed or isUnrecorded or circuit ~= 'CLOSED' or failures > 0 or now < tonumber(state[9] or 0)
  or redis.call('ZCARD', QUEUE) > 0 then
  calls = 0
end
for _, quota in ipairs(quotas) do
  if quota.weight > 0 then
    calls = math.min(calls, math.floor((quota.free - quota.limit / 2) / quota.weight))
  end
end
if wanted == 0 or calls < least then
  redis.call('HDEL', BLOCKS, holder)
  return { 'none' }
end

local ends = now + math.min(lifeMs, AHEAD_MS)
local reply = { 'block', now, ends, calls,
  { circuit, '0', '0', state[3] or '0', state[4] or '0', text(lastFailure), text(lastSuccess), text(changed), '0' } }
for _, quota in ipairs(quotas) do
  reply[#reply + 1] = quota.free
  reply[#reply + 1] = quota.taken
  if quota.weight > 0 then takeAhead(quota, calls * quota.weight, ends) end
end
redis.call('HSET', BLOCKS, holder, text(ends) .. ' ' .. text(calls) .. ' ' .. text(running))
keep(BLOCKS)
if now % 64 == 0 then redis.call('PEXPIRE', STATE, STATE_DAYS_MS) end
return reply
