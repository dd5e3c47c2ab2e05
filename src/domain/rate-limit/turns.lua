-- Purpose: functions about who is next, put before the scripts of this folder. The places of one integration stand in
--   its queue by priority and arrival; one low place goes in at least every twentieth turn. Integrations that only wait
--   for a shared quota take turns: each has a virtual time that grows by what it took.
-- Guarantee: a place counts only until 100 ms after its owner was to ask again. A late owner comes back to where it
--   stood; a dead one holds nobody up.
-- KEYS: 1 state, 2 queue (ZSET member → priority and arrival), 3 due (ZSET member → when its owner asks), 4 in flight
--   (ZSET member → end of its lease), 5 shared state, 6 shared in flight, 7 turns (ZSET integration → virtual time),
--   8 turns due (ZSET integration → when its next place asks), 9 blocks (HASH `<process>/<number>` → end of a block, its
--   calls, those of former ones under way; see block.lua).
-- ARGV: none of its own. A member is `<process>/<call>`, because a process is woken on a channel of its own.
-- Output: functions.

local STATE, QUEUE, DUE, FLIGHT = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local SHARED, SHARED_FLIGHT, TURNS, TURNS_DUE = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local BLOCKS = KEYS[9]
local LATE_MS, IDLE_MS = 100, 60000
local CLASS, LOW_CLASS = 1e14, 2e14
-- Turns of others between two low ones.
local BETWEEN_LOW = 19
-- With more units free than this, the order within a few milliseconds gives way to the rate.
local STRICT_UNITS = 16

local function keep(key) redis.call('PEXPIRE', key, IDLE_MS) end

local function wake(channel, member)
  redis.call('PUBLISH', channel .. string.match(member, '^[^/]*'), string.match(member, '/(.*)$'))
end

-- Calls of blocks that have not ended: those under way, and those that may still go.
local function callsOfBlocks()
  local running, allowed = 0, 0
  for _, block in ipairs(redis.call('HVALS', BLOCKS)) do
    local ends, calls, under = string.match(block, '^(%d+) (%d+) (%d+)$')
    if tonumber(ends) > now then running, allowed = running + tonumber(under), allowed + tonumber(calls) end
  end
  return running, allowed
end

-- Tells the processes that admit calls of this integration by themselves that they may no longer.
local function endBlocks(channel)
  for _, holder in ipairs(redis.call('HKEYS', BLOCKS)) do
    redis.call('PUBLISH', channel .. string.match(holder, '^[^/]*'), STATE)
  end
  redis.call('DEL', BLOCKS)
end

local function leave(member)
  redis.call('ZREM', QUEUE, member)
  redis.call('ZREM', DUE, member)
end

local function dropLate()
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', now - LATE_MS, 'LIMIT', 0, 200)) do leave(member) end
end

local function dropLateTurns()
  for _, late in ipairs(redis.call('ZRANGEBYSCORE', TURNS_DUE, '-inf', now - LATE_MS, 'LIMIT', 0, 200)) do
    redis.call('ZREM', TURNS, late)
    redis.call('ZREM', TURNS_DUE, late)
  end
end

-- How many places go before this one; `sinceLow` is the number of turns since a low one.
local function placesBefore(class, score, sinceLow)
  local before = redis.call('ZCOUNT', QUEUE, '-inf', '(' .. text(score))
  local lows = redis.call('ZCOUNT', QUEUE, text(LOW_CLASS), '+inf')
  if class < 2 then return before + math.min(lows, math.floor((sinceLow + before) / BETWEEN_LOW)) end
  local others = redis.call('ZCARD', QUEUE) - lows
  local lowsBefore = before - others
  return lowsBefore + math.max(0, math.min(others, BETWEEN_LOW * (lowsBefore + 1) - sinceLow))
end

local function nextPlace(sinceLow)
  if sinceLow >= BETWEEN_LOW then
    local low = redis.call('ZRANGEBYSCORE', QUEUE, text(LOW_CLASS), '+inf', 'LIMIT', 0, 1)[1]
    if low then return low end
  end
  return redis.call('ZRANGE', QUEUE, 0, 0)[1]
end

-- Tells the owners of the next places that they need not wait for their time.
local function wakeNext(channel, sinceLow, units)
  local members = { nextPlace(sinceLow) }
  if units > STRICT_UNITS then members = redis.call('ZRANGE', QUEUE, 0, math.min(units, 32) - 1) end
  for _, member in ipairs(members) do
    if tonumber(redis.call('ZSCORE', DUE, member) or 0) > now then
      redis.call('ZADD', DUE, text(now), member)
      wake(channel, member)
    end
  end
end

-- The same for the integration whose turn it is.
local function wakeTurn(channel)
  local first = redis.call('ZRANGE', TURNS, 0, 0)[1]
  if not first or tonumber(redis.call('ZSCORE', TURNS_DUE, first) or 0) <= now then return end
  redis.call('ZADD', TURNS_DUE, text(now), first)
  local member = redis.call('HGET', SHARED, 'h:' .. first)
  if member then wake(channel, member) end
end

local function endTurn(integration)
  redis.call('ZREM', TURNS, integration)
  redis.call('ZREM', TURNS_DUE, integration)
  redis.call('HDEL', SHARED, 'h:' .. integration)
end

-- The integration takes part in the turns until the time at which its next place asks.
local function awaitTurn(integration, virtual, member, due)
  redis.call('ZADD', TURNS, text(virtual), integration)
  redis.call('ZADD', TURNS_DUE, text(due), integration)
  redis.call('HSET', SHARED, 'h:' .. integration, member)
  keep(TURNS)
  keep(TURNS_DUE)
end
