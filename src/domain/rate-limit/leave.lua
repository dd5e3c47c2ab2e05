-- Purpose: gives a place in the queue up, and lets the next one know when it was the first.
-- Guarantee: a place that is not there changes nothing. Stands behind quotas.lua and turns.lua.
-- KEYS: 1-9 as in turns.lua.
-- ARGV: 1 member, 2 integration, 3 "1" when anything is shared, 4 wake channel.
-- Output: nothing.

local member, integration, channel = ARGV[1], ARGV[2], ARGV[4]
local sinceLow = tonumber(redis.call('HGET', STATE, 'k') or 0)
local wasNext = nextPlace(sinceLow) == member
leave(member)
if not wasNext then return end
wakeNext(channel, sinceLow, 1)
if ARGV[3] ~= '1' or redis.call('HGET', SHARED, 'h:' .. integration) ~= member then return end
local following = nextPlace(sinceLow)
local virtual = redis.call('ZSCORE', TURNS, integration)
if following and virtual then
  awaitTurn(integration, tonumber(virtual), following, now)
else
  endTurn(integration)
  wakeTurn(channel)
end
