-- Purpose: functions about time and quotas, put before the scripts of this folder. A quota of up to 1,000 units a window
--   is a LIST of the times (ms) at which its units were taken: an exact sliding log. A larger one is a HASH of 60
--   sub-windows, of which 61 or 62 count, so that no window is ever over. Both count 25 ms longer than the window: what
--   leaves here evenly may arrive at the provider a little closer together.
-- Guarantee: the time is that of Redis, so the processes' clocks do not matter.
-- KEYS: by name of the caller.
-- ARGV: none of its own.
-- Output: functions.

local SLACK_MS, LOG_LIMIT_MAX, SUB_WINDOWS = 25, 1000, 60
-- Units of a block are counted so far ahead at most; see block.lua.
local AHEAD_MS = 50
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- Lua itself writes 14 digits. Arguments of redis.call need none of it, which is four times as fast: they get 17.
local function text(number) return string.format('%.0f', number) end

-- Declared: key, state (the hash that holds what the provider reported), name, limit, window, weight. Reported: cap is
-- what may still be taken until capUntil. `taken` counts all units that were ever taken.

-- Adds to the fields of a hash those that hold what was reported of the quotas there; answers these quotas.
local function reportedFields(quotas, state, fields)
  local readers = {}
  for _, quota in ipairs(quotas) do
    if quota.state == state then
      readers[#readers + 1] = quota
      local at = #fields
      fields[at + 1], fields[at + 2] = quota.name .. ':l', quota.name .. ':n'
      fields[at + 3], fields[at + 4] = quota.name .. ':u', quota.name .. ':c'
    end
  end
  return readers
end

-- `skipped` is the number of values before those of the first quota.
local function applyReported(readers, values, skipped)
  for i, quota in ipairs(readers) do
    local at = skipped + i * 4 - 3
    quota.isLog = quota.limit <= LOG_LIMIT_MAX
    quota.limit = tonumber(values[at] or quota.limit)
    quota.capUntil = tonumber(values[at + 2] or 0)
    if quota.capUntil > now then quota.cap = math.max(0, tonumber(values[at + 1])) end
    quota.taken = tonumber(values[at + 3] or 0)
    quota.weight = math.min(quota.weight, quota.limit)
    quota.width = quota.window / SUB_WINDOWS
  end
end

local function readReported(quotas, state)
  local fields = {}
  local readers = reportedFields(quotas, state, fields)
  if #readers > 0 then applyReported(readers, redis.call('HMGET', state, unpack(fields)), 0) end
end

-- Place of the first entry of a log that is at or after a time.
local function firstSince(key, length, since)
  local low, high = 0, length
  while low < high do
    local middle = math.floor((low + high) / 2)
    if tonumber(redis.call('LINDEX', key, middle)) < since then low = middle + 1 else high = middle end
  end
  return low
end

-- A key lives for two windows from its last renewal. One is enough where every unit since is renewed for: a log is renewed
-- when it begins and when its first entry has left the window, a hash with the first unit of each sub-window.
local function renew(quota) redis.call('PEXPIRE', quota.key, 2 * (quota.window + SLACK_MS)) end

local function readLog(quota)
  local expired = now - quota.window - SLACK_MS
  local first = redis.call('LINDEX', quota.key, 0)
  quota.used = first and redis.call('LLEN', quota.key) or 0
  if first and tonumber(first) <= expired then
    local kept = firstSince(quota.key, quota.used, expired + 1)
    redis.call('LTRIM', quota.key, kept, -1)
    quota.used = quota.used - kept
    -- Here and not with the next unit: who finds the first entry gone may be one that waits.
    if quota.used > 0 then renew(quota) end
  end
  quota.mustRenew = quota.used == 0
end

-- `t` is the sum of all sub-windows, `o` the number of the oldest one.
local function readSubWindows(quota)
  quota.current = math.floor(now / quota.width)
  local kept = redis.call('HMGET', quota.key, 't', 'o', quota.current)
  local oldest = math.floor((now - quota.window - SLACK_MS) / quota.width)
  quota.used, quota.oldest, quota.inCurrent = tonumber(kept[1] or 0), tonumber(kept[2] or oldest), tonumber(kept[3] or 0)
  quota.mustRenew = quota.inCurrent == 0
  if quota.oldest >= oldest then return end
  if oldest - quota.oldest > SUB_WINDOWS + 2 + math.ceil((AHEAD_MS + SLACK_MS) / quota.width) then
    redis.call('DEL', quota.key)
    quota.used = 0
  else
    for number = quota.oldest, oldest - 1 do
      local units = redis.call('HGET', quota.key, number)
      if units then
        quota.used = quota.used - tonumber(units)
        redis.call('HDEL', quota.key, number)
      end
    end
    redis.call('HSET', quota.key, 't', quota.used, 'o', oldest)
  end
  quota.oldest = oldest
end

local function freeUnits(quota)
  local free = quota.limit - quota.used
  if quota.cap and quota.cap < free then free = quota.cap end
  return free
end

local function readUsed(quotas)
  for _, quota in ipairs(quotas) do
    if quota.isLog then readLog(quota) else readSubWindows(quota) end
    quota.free = freeUnits(quota)
  end
end

local function openQuotas(quotas, state, sharedState)
  readReported(quotas, state)
  readReported(quotas, sharedState)
  readUsed(quotas)
end

-- Time until so many units are free, when all that come free are left alone.
local function waitFor(quota, units)
  local wait = 0
  if quota.cap and quota.cap < units then wait = quota.capUntil - now end
  local missing = quota.used + units - quota.limit
  if missing <= 0 then return wait end
  local span = quota.window + SLACK_MS
  local rounds = math.floor((missing - 1) / math.max(quota.used, 1))
  local rest = missing - rounds * quota.used
  local free = now
  if quota.used > 0 and quota.isLog then
    free = tonumber(redis.call('LINDEX', quota.key, rest - 1)) + span
  elseif quota.used > 0 then
    local number, last = quota.oldest, quota.current
    while rest > 0 and number <= last do
      rest = rest - tonumber(redis.call('HGET', quota.key, text(number)) or 0)
      number = number + 1
    end
    free = math.ceil(number * quota.width) + span
  end
  return math.max(wait, free + rounds * span - now)
end

local function take(quota)
  quota.free = quota.free - quota.weight
  quota.taken = quota.taken + quota.weight
  if quota.isLog then
    local stamps = {}
    for i = 1, quota.weight do stamps[i] = now end
    redis.call('RPUSH', quota.key, unpack(stamps))
  else
    redis.call('HSET', quota.key, 't', quota.used + quota.weight, 'o', quota.oldest, quota.current,
      quota.inCurrent + quota.weight)
  end
  if quota.mustRenew then renew(quota) end
end

-- Takes what a call weighs of each quota that keeps its state in this hash.
local function takeAll(quotas, state)
  local fields = {}
  for _, quota in ipairs(quotas) do
    if quota.state == state and quota.weight > 0 then
      take(quota)
      fields[#fields + 1] = quota.name .. ':c'
      fields[#fields + 1] = quota.taken
      if quota.cap then
        fields[#fields + 1] = quota.name .. ':n'
        fields[#fields + 1] = quota.cap - quota.weight
      end
    end
  end
  if #fields > 0 then redis.call('HSET', state, unpack(fields)) end
end

-- Takes units of a quota in sub-windows that are counted at a later time, AHEAD_MS from now at most: so they count from now
-- until a window after that time, whenever their calls go out in between.
local function takeAhead(quota, units, at)
  redis.call('HINCRBY', quota.key, text(math.floor(at / quota.width)), units)
  redis.call('HSET', quota.key, 't', quota.used + units, 'o', quota.oldest)
  renew(quota)
  redis.call('HINCRBY', quota.state, quota.name .. ':c', units)
  if quota.cap then redis.call('HINCRBY', quota.state, quota.name .. ':n', -units) end
  quota.used, quota.free = quota.used + units, quota.free - units
end

-- Of calls that were admitted and never sent; `counted` is the time at which their units are.
local function giveBack(quota, counted, calls)
  local units = quota.weight * calls
  if units <= 0 then return end
  if quota.isLog then
    redis.call('LREM', quota.key, -units, text(counted))
    renew(quota)
  else
    local number = math.floor(counted / quota.width)
    if number < quota.oldest then return end
    redis.call('HINCRBY', quota.key, text(number), -units)
    redis.call('HINCRBY', quota.key, 't', -units)
  end
  if quota.cap then redis.call('HINCRBY', quota.state, quota.name .. ':n', units) end
  quota.used, quota.free = quota.used - units, quota.free + units
end

local function dropOldest(quota, units)
  if quota.isLog then
    redis.call('LTRIM', quota.key, units, -1)
    return renew(quota)
  end
  local number = quota.oldest
  redis.call('HINCRBY', quota.key, 't', -units)
  while units > 0 do
    local held = tonumber(redis.call('HGET', quota.key, text(number)) or 0)
    local dropped = math.min(held, units)
    if dropped > 0 then redis.call('HINCRBY', quota.key, text(number), -dropped) end
    units = units - dropped
    number = number + 1
  end
end

-- What the answer to a call said that was admitted when `taken` units were: `remaining` are left for `reset` ms from now.
-- Of what was taken since, the answer may not know. An answer to an earlier call than the one reported last is too old.
-- The count follows downwards at once, upwards only by what nobody may still be using.
local function report(quota, taken, inFlight, remaining, reset)
  local last = tonumber(redis.call('HGET', quota.state, quota.name .. ':r') or 0)
  if taken < last then return end
  redis.call('HSET', quota.state, quota.name .. ':r', text(taken))
  -- Below 0 where more was taken since than is left: what of it is given back never went and frees nothing else.
  local target = math.max(0, math.min(remaining, quota.limit)) - math.max(0, quota.taken - taken)
  local free = quota.limit - quota.used
  if free > target then
    redis.call('HSET', quota.state, quota.name .. ':n', text(target), quota.name .. ':u', text(now + reset))
    return
  end
  redis.call('HDEL', quota.state, quota.name .. ':n', quota.name .. ':u')
  if target - inFlight > free then dropOldest(quota, target - inFlight - free) end
end
