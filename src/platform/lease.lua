-- Purpose: takes, renews or gives back a fenced lease: one holder at a time, and a number that grows with each holder.
-- Guarantee: the number never falls or repeats while the data lives, so that work of an earlier holder can be told
--   from that of the present one. Time is this server's own; the holders' clocks do not matter.
-- KEYS: 1 lease, a hash: holder, token, expiresAtMs.
-- ARGV: 1 "hold" or "release", 2 holder's id, 3 milliseconds to hold.
-- Output: the token while this holder has the lease, else 0; for "release" 1 when it was given back, else 0.

local time = redis.call('TIME')
local nowMs = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local holder, expiresAtMs = unpack(redis.call('HMGET', KEYS[1], 'holder', 'expiresAtMs'))
local isHeld = holder and tonumber(expiresAtMs) > nowMs

if ARGV[1] == 'release' then
  if not isHeld or holder ~= ARGV[2] then return 0 end
  redis.call('HDEL', KEYS[1], 'holder', 'expiresAtMs')
  return 1
end

if isHeld and holder ~= ARGV[2] then return 0 end
local untilMs = string.format('%.0f', nowMs + tonumber(ARGV[3]))
if isHeld then
  redis.call('HSET', KEYS[1], 'expiresAtMs', untilMs)
  return tonumber(redis.call('HGET', KEYS[1], 'token'))
end
local token = redis.call('HINCRBY', KEYS[1], 'token', 1)
redis.call('HSET', KEYS[1], 'holder', ARGV[2], 'expiresAtMs', untilMs)
return token
