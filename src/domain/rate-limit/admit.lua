-- Purpose: admits one call, gives it a place in the queue, or refuses it: circuit, all quotas, concurrency and order.
-- Guarantee: nothing is written before every check has passed; a repetition of an admitted call is admitted again without
--   being counted twice. Stands behind quotas.lua and turns.lua.
-- KEYS: 1-9 as in turns.lua, then one key for each quota.
-- ARGV: 1 member, 2 integration, 3 class (0 high, 1 normal, 2 low), 4 arrival ("" on the first ask), 5 lease in ms,
--   6 places, 7 ms that the caller still waits, 8 circuit timeout in ms, 9 concurrency (0: no limit), 10 shared
--   concurrency (0: no limit), 11 "1" when anything is shared, 12 wake channel, then for each quota: name, "s" when it is
--   shared, limit, window in ms, weight.
-- Output: {"go", time, "1" for a probe, circuit, free units and units ever taken of each quota …}, {"wait", ms, arrival, position, circuit} or
--   {"refused", code, ms until it may be tried, circuit}. Circuit is {state, failures, successes, opened, half-open since,
--   last failure, last success, changed, "1" when the change is yet to be recorded}, times in ms.

local WAKE_FALLBACK_MS, ASK_AT_LEAST_MS, ORDER_MS, RECORD_WITHIN_MS = 500, 1000, 25, 5000
local STATE_DAYS_MS = 7 * 86400000
local member, integration, class, arrival = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local leaseMs, places, patience = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local circuitMs, concurrency, sharedConcurrency = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local isShared, channel = ARGV[11] == '1', ARGV[12]

local quotas = {}
for i = 0, #KEYS - 10 do
  local at = 13 + i * 5
  quotas[i + 1] = {
    key = KEYS[10 + i], name = ARGV[at],
    isShared = ARGV[at + 1] == 's', state = ARGV[at + 1] == 's' and SHARED or STATE,
    limit = tonumber(ARGV[at + 2]), window = tonumber(ARGV[at + 3]), weight = tonumber(ARGV[at + 4])
  }
end

local fields = { 's', 'k', 'b', 'f', 'y', 'o', 'ho', 'lf', 'ls', 't', 'rt', 'p', 'pu', 'h' }
local ownFields = #fields
local ownQuotas = reportedFields(quotas, STATE, fields)
local state = redis.call('HMGET', STATE, unpack(fields))
local lastArrival, sinceLow = tonumber(state[1] or 0), tonumber(state[2] or 0)
local circuit, opened, changed = state[3] or 'CLOSED', tonumber(state[6] or 0), state[10]
local probe, probeUntil, heldUntil = state[12], tonumber(state[13] or 0), tonumber(state[14] or 0)

local isChanged = false
local function circuitNow()
  local isUnrecorded = isChanged or (changed ~= state[11] and now - tonumber(changed) > RECORD_WITHIN_MS)
  return { circuit, state[4] or '0', state[5] or '0', state[6] or '0', state[7] or '0', state[8] or '0',
    state[9] or '0', changed, isUnrecorded and '1' or '0' }
end

-- A state that Redis does not know, or lost, is told once, so that the record in Postgres agrees with it.
if not changed then
  changed = text(now)
  redis.call('HSET', STATE, 't', changed)
  redis.call('PEXPIRE', STATE, STATE_DAYS_MS)
end

-- What is not counted need not be tidied each time.
local isTidying = now % 64 == 0
if concurrency > 0 or isTidying then redis.call('ZREMRANGEBYSCORE', FLIGHT, '-inf', now) end
local isAgain = redis.call('ZSCORE', FLIGHT, member)
local isProbe = circuit ~= 'CLOSED'
if isProbe and not isAgain then
  local retryMs
  if circuit == 'OPEN' and now < opened + circuitMs then
    retryMs = opened + circuitMs - now
  elseif circuit == 'HALF_OPEN' and probe and probe ~= '' and now < probeUntil then
    retryMs = 1000
  end
  if retryMs then
    leave(member)
    if isShared then endTurn(integration) end
    return { 'refused', 'circuit_open', text(retryMs), circuitNow() }
  end
end

applyReported(ownQuotas, state, ownFields)
if isShared then readReported(quotas, SHARED) end
readUsed(quotas)

local function go()
  local reply = { 'go', now, isProbe and '1' or '0', circuitNow() }
  for _, quota in ipairs(quotas) do
    reply[#reply + 1] = math.max(0, quota.free)
    reply[#reply + 1] = quota.taken
  end
  return reply
end
if isAgain then return go() end

-- What is free for this call, and how many go before it.
local waiting = redis.call('ZCARD', QUEUE)
if waiting > 0 then
  dropLate()
  waiting = redis.call('ZCARD', QUEUE)
end
local known = waiting > 0 and redis.call('ZSCORE', QUEUE, member)
if known then
  arrival = tonumber(known) - class * CLASS
elseif not arrival then
  arrival = lastArrival + 1
end
local score = class * CLASS + arrival
local before = waiting > 0 and placesBefore(class, score, sinceLow) or 0
local units, sharedUnits = math.huge, math.huge
local isOpen, isSharedOpen = now >= heldUntil, true
local soonest = math.max(0, heldUntil - now)
for _, quota in ipairs(quotas) do
  if quota.weight > 0 then
    local isEnough = quota.free >= quota.weight
    if quota.isShared then
      sharedUnits, isSharedOpen = math.min(sharedUnits, quota.free), isSharedOpen and isEnough
    else
      units, isOpen = math.min(units, quota.free), isOpen and isEnough
    end
    if not isEnough then soonest = math.max(soonest, waitFor(quota, quota.weight)) end
  end
end
if concurrency > 0 then
  units = math.min(units, concurrency - redis.call('ZCARD', FLIGHT))
  isOpen = isOpen and units > 0
end
if isShared then
  redis.call('ZREMRANGEBYSCORE', SHARED_FLIGHT, '-inf', now)
  dropLateTurns()
end
if sharedConcurrency > 0 then
  sharedUnits = math.min(sharedUnits, sharedConcurrency - redis.call('ZCARD', SHARED_FLIGHT))
  isSharedOpen = isSharedOpen and sharedUnits > 0
end
local isTurn = before == 0 or (units > STRICT_UNITS and units > before)
local virtual, turnsBefore = 0, 0
if isShared then
  local clock = redis.call('HMGET', SHARED, 'v', 'v:' .. integration)
  virtual = math.max(tonumber(clock[1] or 0), tonumber(clock[2] or 0))
  turnsBefore = redis.call('ZCOUNT', TURNS, '-inf', '(' .. text(virtual))
end
local isSharedTurn = turnsBefore == 0 or (sharedUnits > STRICT_UNITS and sharedUnits > turnsBefore)

if isOpen and isTurn and isSharedOpen and isSharedTurn then
  takeAll(quotas, STATE)
  takeAll(quotas, SHARED)
  redis.call('ZADD', FLIGHT, now + leaseMs, member)
  keep(FLIGHT)
  if waiting > 0 then
    leave(member)
    waiting = redis.call('ZCARD', QUEUE)
    local hasLow = redis.call('ZCOUNT', QUEUE, text(LOW_CLASS), '+inf') > 0
    sinceLow = (class == 2 or not hasLow) and 0 or sinceLow + 1
    redis.call('HSET', STATE, 'k', sinceLow)
    if waiting > 0 and units > 1 then wakeNext(channel, sinceLow, units - 1) end
  end
  if isProbe then
    if circuit == 'OPEN' then
      changed, isChanged = text(math.max(now, tonumber(changed) + 1)), true
      circuit, state[5], state[7] = 'HALF_OPEN', '0', text(now)
      redis.call('HSET', STATE, 'b', circuit, 'y', 0, 'ho', text(now), 't', changed)
    end
    redis.call('HSET', STATE, 'p', member, 'pu', text(now + leaseMs))
  elseif isTidying then
    redis.call('PEXPIRE', STATE, STATE_DAYS_MS)
  end
  if isShared then
    redis.call('ZADD', SHARED_FLIGHT, text(now + leaseMs), member)
    keep(SHARED_FLIGHT)
    redis.call('HSET', SHARED, 'v', text(virtual), 'v:' .. integration, text(virtual + 1))
    redis.call('PEXPIRE', SHARED, STATE_DAYS_MS)
    local following = waiting > 0 and nextPlace(sinceLow)
    if following then
      awaitTurn(integration, virtual + 1, following, tonumber(redis.call('ZSCORE', DUE, following) or now))
    else
      endTurn(integration)
    end
    if sharedUnits > 1 then wakeTurn(channel) end
  end
  return go()
end

if soonest > patience then
  leave(member)
  if isShared and before == 0 then endTurn(integration) end
  return { 'refused', 'rate_limited', text(soonest), circuitNow() }
end
if not known and ARGV[4] == '' then
  local taken = class == 0 and redis.call('ZCOUNT', QUEUE, '-inf', '(' .. text(CLASS)) or waiting
  if taken >= places then return { 'refused', 'queue_full', text(math.max(soonest, 1000)), circuitNow() } end
  redis.call('HSET', STATE, 's', text(arrival))
end

-- When to ask again: as soon as the units of all that go before may be free.
local wait = soonest
local contenders = isShared and math.max(1, redis.call('ZCARD', TURNS)) or 1
for _, quota in ipairs(quotas) do
  local ahead = quota.isShared and before * contenders + turnsBefore or before
  if quota.weight > 0 then wait = math.max(wait, waitFor(quota, ahead + quota.weight)) end
end
if (concurrency > 0 and units <= before) or (sharedConcurrency > 0 and sharedUnits <= turnsBefore) then
  wait = math.max(wait, WAKE_FALLBACK_MS)
end
local isOnlyOrder = isOpen and isSharedOpen
if isOnlyOrder then
  local first = not isTurn and nextPlace(sinceLow)
  local due = first and tonumber(redis.call('ZSCORE', DUE, first) or 0) or 0
  wait = math.max(wait, ORDER_MS, due - now)
  if not isTurn then wakeNext(channel, sinceLow, units) end
  if not isSharedTurn then wakeTurn(channel) end
end
wait = math.min(math.max(wait, 1), ASK_AT_LEAST_MS)
redis.call('ZADD', QUEUE, text(score), member)
redis.call('ZADD', DUE, text(now + wait), member)
keep(QUEUE)
keep(DUE)
if isShared and before == 0 then
  if isOpen then awaitTurn(integration, virtual, member, now + wait) else endTurn(integration) end
end
return { 'wait', text(wait), text(arrival), text(before + 1), circuitNow() }
