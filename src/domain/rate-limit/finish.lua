-- Purpose: ends an admitted call: gives its leases back, tells the circuit how it went, and corrects the quotas by what the
--   provider reported.
-- Guarantee: a call counts once; what comes again, or after its lease was over, changes nothing. In half-open only the
--   probe counts. Stands behind quotas.lua and turns.lua.
-- KEYS: 1-9 as in turns.lua, then one key for each quota that is given back or was reported.
-- ARGV: 1 member, 2 outcome ("success", "failure", or "none" when it tells nothing of the provider), 3 "1" when it was
--   never sent, 4 time at which its units are counted, 5 failures that open the circuit, 6 successes that close it, 7 ms
--   for which the provider wants no call (0: none), 8 "1" with a concurrency limit, 9 "1" with a shared one, 10 "1" when
--   anything is shared, 11 wake channel, 12 "1" when a block admitted it and it is not among those in flight, then for
--   each quota: name, "s" when it is shared, limit, window in ms, weight, units ever taken at its admission, and what was
--   reported: limit, units left, ms until they are renewed (each "" when it was not).
-- Output: {circuit} as in admit.lua, its last value "1" when this call has changed the state.

local member, outcome, isUnsent, counted = ARGV[1], ARGV[2], ARGV[3] == '1', tonumber(ARGV[4])
local failuresMax, successesMin, holdMs, channel = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[11]
local isShared = ARGV[10] == '1'
-- The time of the last success is no more exact than this, so that a success among others writes nothing.
local LAST_SUCCESS_MS = 1000

local wasInFlight = ARGV[12] == '1' or redis.call('ZREM', FLIGHT, member) == 1
if isShared then redis.call('ZREM', SHARED_FLIGHT, member) end
local fields = redis.call('HMGET', STATE, 'b', 'f', 'y', 'o', 'ho', 'lf', 'ls', 't', 'p', 'k')
local circuit = fields[1] or 'CLOSED'
local failures, successes = tonumber(fields[2] or 0), tonumber(fields[3] or 0)
local opened, halfOpened = fields[4] or '0', fields[5] or '0'
local lastFailure, lastSuccess = fields[6] or '0', fields[7] or '0'
local changed, isChanged = tonumber(fields[8] or now), false

local function enter(next)
  circuit, isChanged = next, true
  changed = math.max(now, changed + 1)
  if next == 'OPEN' then opened = text(now) end
  -- An open circuit outlasts its idle time; a closed one is what a missing state means.
  if next == 'OPEN' then redis.call('PERSIST', STATE) end
end

if wasInFlight then
  local isReported = false
  if outcome == 'failure' then lastFailure = now end
  if outcome == 'success' then lastSuccess = now end
  if circuit == 'CLOSED' then
    if outcome == 'failure' then failures = failures + 1 end
    if outcome == 'success' then failures = 0 end
    if failures >= failuresMax then enter('OPEN') end
  elseif circuit == 'HALF_OPEN' and fields[9] == member then
    redis.call('HDEL', STATE, 'p', 'pu')
    if outcome == 'failure' then
      failures, successes = failures + 1, 0
      enter('OPEN')
    elseif outcome == 'success' then
      successes = successes + 1
      if successes >= successesMin then
        failures = 0
        enter('CLOSED')
      end
    end
  end
  local wasFresh = fields[1] and now - tonumber(fields[7] or 0) < LAST_SUCCESS_MS
  local isNoNews = outcome == 'none'
    or (outcome == 'success' and circuit == 'CLOSED' and not isChanged and (fields[2] or '0') == '0' and wasFresh)
  if not isNoNews then
    redis.call('HSET', STATE, 'b', circuit, 'f', failures, 'y', successes, 'o', opened, 'lf', lastFailure,
      'ls', lastSuccess, 't', changed)
  end
  if holdMs > 0 then
    local held = tonumber(redis.call('HGET', STATE, 'h') or 0)
    if now + holdMs > held then redis.call('HSET', STATE, 'h', text(now + holdMs)) end
  end
  for i = 0, #KEYS - 10 do
    local at = 13 + i * 9
    local isSharedQuota = ARGV[at + 1] == 's'
    local limit, remaining, reset = ARGV[at + 6], tonumber(ARGV[at + 7]), tonumber(ARGV[at + 8])
    if isUnsent or limit ~= '' or remaining then
      local quota = {
        key = KEYS[10 + i], name = ARGV[at], state = isSharedQuota and SHARED or STATE,
        limit = tonumber(ARGV[at + 2]), window = tonumber(ARGV[at + 3]), weight = tonumber(ARGV[at + 4])
      }
      if limit ~= '' then redis.call('HSET', quota.state, quota.name .. ':l', limit) end
      openQuotas({ quota }, STATE, SHARED)
      if isUnsent then
        giveBack(quota, counted, 1)
      elseif remaining then
        local running, allowed = callsOfBlocks()
        local others = redis.call('ZCARD', isSharedQuota and SHARED_FLIGHT or FLIGHT) + running + allowed
        report(quota, tonumber(ARGV[at + 5]), others, remaining, reset or quota.window)
      end
      isReported = isReported or not isUnsent
    end
  end
  -- What a block was given on no longer holds.
  if outcome == 'failure' or holdMs > 0 or isReported then endBlocks(channel) end
end

if ARGV[8] == '1' or isUnsent then wakeNext(channel, tonumber(fields[10] or 0), 1) end
if ARGV[9] == '1' or (isShared and isUnsent) then wakeTurn(channel) end
return { circuit, failures, successes, opened, halfOpened, lastFailure, lastSuccess, changed,
  isChanged and '1' or '0' }
